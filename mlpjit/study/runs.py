"""The runs of a study: a grid without duplicates, whose configs are built when asked for, or a list of configs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.config.alike import Own, own_of
from mlpjit.config.fields import FACTORS, SEED_FIELDS, SHAPE_FIELDS, dataset_info
from mlpjit.config.run_config import RunConfig
from mlpjit.config.setting import OPEN, Setting, setting_of
from mlpjit.study.blocks import Block

# What the cost of a run depends on; learning rates, seeds and initializers share one estimate.
COST_FIELDS = (
    *SHAPE_FIELDS, "dataset", "activation", "output_activation", "optimizer", "normalization", "residual", "dropout",
    "loss", "clip",
    "batch_size", "epochs", "evaluate_every", "dtype",
)  # fmt: skip


class Runs:
    """The distinct runs of some blocks in the order of their file. Configs are built when asked for."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        # Before the ids: a file that changes in between makes its runs fail, not wrong.
        self._data = {v["dataset"]: dataset_info(v["dataset"]) for b in blocks for v in b.combinations(("dataset",))}
        ids = [run_id for block in self.blocks for run_id in block.run_ids()]
        first: dict[str, int] = {}
        for point, run_id in enumerate(ids):
            first.setdefault(run_id, point)
        self.run_ids = list(first)
        self.duplicates = len(ids) - len(first)
        self._points = np.fromiter(first.values(), dtype=np.intp, count=len(first))
        self._starts = [0, *accumulate(len(block) for block in self.blocks)]

    def __len__(self) -> int:
        return len(self.run_ids)

    def _locate(self, index: int) -> tuple[Block, int]:
        point = int(self._points[index])
        number = bisect_right(self._starts, point) - 1
        return self.blocks[number], point - self._starts[number]

    def config(self, index: int) -> RunConfig:
        """Return the config of one run."""
        block, point = self._locate(index)
        return self._config(block.values(point))

    def _config(self, values: Mapping[str, Any]) -> RunConfig:
        """Return a config with the data as they were when the study was planned."""
        return RunConfig.trusted(values, self._data[values["dataset"]])

    def with_seed(self, index: int, seed: int) -> RunConfig:
        """Return a run's config on another seed. Seeds that its study fixes stay; those it sweeps follow."""
        block, point = self._locate(index)
        swept = set(block.swept) & set(SEED_FIELDS)
        return self._config({**block.values(point), **dict.fromkeys(swept), "seed": seed})

    def numbers(self, value: Callable[[RunConfig], float]) -> npt.NDArray[np.float64]:
        """Return a number for every run that depends on COST_FIELDS only."""
        parts = [block.numbers(COST_FIELDS, lambda values: value(self._config(values))) for block in self.blocks]
        return np.concatenate(parts)[self._points] if parts else np.empty(0)

    def column(self, name: str) -> list[Any]:
        """Return a factor of every run."""
        column = [value for block in self.blocks for value in block.column(FACTORS[name])]
        return column if not self.duplicates else [column[point] for point in self._points]

    def own(self) -> list[Own]:
        """Return the rate and seeds of every run."""
        return list(zip(*(self.column(name) for name in OPEN), strict=True))

    def groups(self) -> npt.NDArray[np.intp]:
        """Return a number for every run, the same one for runs that differ in their rate and seeds alone."""
        parts, first = [], 0
        for block in self.blocks:
            positions = block.positions([name for axis in block.axes for name in axis.fields if name not in OPEN])
            parts.append(first + positions)
            first += int(positions.max(initial=0)) + 1
        return np.concatenate(parts)[self._points]

    def seeds(self) -> npt.NDArray[np.int64]:
        """Return the seed of every run."""
        return np.array(self.column("seed"), np.int64)

    def values(self, name: str) -> set[Any]:
        """Return the values that a factor takes."""
        part = FACTORS[name]
        return {part.value(v) for block in self.blocks for v in block.combinations(part.fields)}

    def varies(self, name: str) -> bool:
        """Whether a factor takes several values."""
        return len(self.values(name)) > 1

    def timeouts(self) -> list[float | None]:
        """Return the time limit of every run in seconds."""
        if all(b.fixed.get("timeout") is None and not b.touches(("timeout",)) for b in self.blocks):
            return [None] * len(self)
        return [self.config(index).timeout for index in range(len(self))]

    def representatives(self, fields: Sequence[str], among: Iterable[int] | None = None) -> list[RunConfig]:
        """Return the first run, among some, of each combination of `fields`."""
        keys = np.concatenate([
            np.column_stack([np.full(len(block), number), block.positions(fields)])
            for number, block in enumerate(self.blocks)
        ])  # fmt: skip
        first: dict[tuple[int, ...], int] = {}
        for index in range(len(self)) if among is None else among:
            first.setdefault(tuple(keys[self._points[index]]), index)
        return [self.config(index) for index in first.values()]


class ListedRuns(Runs):
    """Runs given by their configs: a final stage."""

    def __init__(self, configs: Sequence[RunConfig]) -> None:
        self._configs = list({config.run_id: config for config in configs}.values())
        self.run_ids = [config.run_id for config in self._configs]
        self.blocks, self.duplicates = (), len(configs) - len(self._configs)

    def config(self, index: int) -> RunConfig:
        """Return the config of one run."""
        return self._configs[index]

    def own(self) -> list[Own]:
        """Return the rate and seeds of every run."""
        return [own_of(config) for config in self._configs]

    def numbers(self, value: Callable[[RunConfig], float]) -> npt.NDArray[np.float64]:
        """Return a number for every run."""
        return np.array([value(config) for config in self._configs], dtype=np.float64)

    def groups(self) -> npt.NDArray[np.intp]:
        """Return a number for every run, the same one for runs that differ in their rate and seeds alone."""
        numbers: dict[tuple[Setting, float | None], int] = {}
        keys = [(setting_of(config.__dict__), config.timeout) for config in self._configs]
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)

    def seeds(self) -> npt.NDArray[np.int64]:
        """Return the seed of every run."""
        return np.array([config.seed for config in self._configs], np.int64)

    def timeouts(self) -> list[float | None]:
        """Return the time limit of every run in seconds."""
        return [config.timeout for config in self._configs]

    def representatives(self, fields: Sequence[str], among: Iterable[int] | None = None) -> list[RunConfig]:
        """Return the runs themselves: there are few."""
        return [self._configs[index] for index in (range(len(self)) if among is None else among)]
