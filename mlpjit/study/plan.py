"""What a study would run: its runs without duplicates, what the store lacks, and the best settings' final runs."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlpjit.config.fields import FACTORS, KERNEL_FIELDS, SEED_FIELDS, SETTING, SHAPE_FIELDS, columns_of, dataset_info
from mlpjit.config.identity import digest
from mlpjit.config.run_config import RunConfig
from mlpjit.study.blocks import Block
from mlpjit.study.choice import Known, chosen, groups_of
from mlpjit.study.competitors import Called
from mlpjit.study.repetitions import split

# What the cost of a run depends on; learning rates, seeds and initializers share one estimate.
COST_FIELDS = (
    *SHAPE_FIELDS, "dataset", "activation", "output_activation", "optimizer", "normalization", "residual", "dropout",
    "loss", "clip",
    "batch_size", "epochs", "evaluate_every", "dtype",
)  # fmt: skip
TIMED_EPOCHS = 3  # a step's time needs no whole run
COMPILE_FIELDS = (*KERNEL_FIELDS, "dtype")


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

    def varies(self, name: str) -> bool:
        """Whether a factor takes several values."""
        part = FACTORS[name]
        return len({part.value(v) for block in self.blocks for v in block.combinations(part.fields)}) > 1

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

    def numbers(self, value: Callable[[RunConfig], float]) -> npt.NDArray[np.float64]:
        """Return a number for every run."""
        return np.array([value(config) for config in self._configs], dtype=np.float64)

    def timeouts(self) -> list[float | None]:
        """Return the time limit of every run in seconds."""
        return [config.timeout for config in self._configs]

    def representatives(self, fields: Sequence[str], among: Iterable[int] | None = None) -> list[RunConfig]:
        """Return the runs themselves: there are few."""
        return [self._configs[index] for index in (range(len(self)) if among is None else among)]


def missing(runs: Runs, known: Known) -> list[int]:
    """Return the runs that still need to be made: not stored, failed, or cut by another time limit than now's."""
    timeouts = runs.timeouts()
    return [index for index, run_id in enumerate(runs.run_ids) if not _settled(known.get(run_id), timeouts[index])]


def _settled(found: tuple[str, float | None, float | None] | None, timeout: float | None) -> bool:
    if found is None:
        return False
    return found[0] in ("done", "diverged") or (found[0] == "timed_out" and found[1] == timeout)


def final_runs(
    runs: Runs, known: Known, per: str | Sequence[str], seeds: Sequence[int], called: Called | None = None,
    repetitions: Sequence[Sequence[int]] = (),
) -> ListedRuns:  # fmt: skip
    """Return the best setting of each problem and value of `per`, chosen on the tuning runs, on fresh seeds.

    `called` names the competitors of tuned specs. With `repetitions`, the tuning seeds of each, every one chooses by
    itself and reports on its share of the fresh seeds.
    """
    compared = columns_of(per)
    columns = {name: runs.column(name) for name in SETTING if name in compared or runs.varies(name)}
    groups = []
    for name in groups_of(per):
        if name in columns and name in (called or {}):
            columns[f"{name} tuned"] = [called[name].get(value, value) for value in columns[name]]  # type: ignore[index]
            groups.append(f"{name} tuned")
        elif name in columns:
            groups.append(name)
    if len(repetitions) < 2:
        members = chosen(columns, runs.run_ids, known, groups)
        return ListedRuns([runs.with_seed(index, seed) for index in members for seed in seeds])
    used, configs = runs.column("seed"), []
    for tuning, fresh in zip(repetitions, split(seeds, len(repetitions)), strict=True):
        mine = [index for index, seed in enumerate(used) if seed in tuning]
        of_mine = {name: [column[index] for index in mine] for name, column in columns.items()}
        members = chosen(of_mine, [runs.run_ids[index] for index in mine], known, groups)
        configs += [runs.with_seed(mine[index], seed) for index in members for seed in fresh]
    return ListedRuns(configs)


@dataclass(frozen=True)
class StepTiming:
    """One step time to measure."""

    config: RunConfig
    repeats: int

    @cached_property
    def key(self) -> str:
        """The name under which the store keeps it."""
        return digest(f"step time {self.config.run_id} {self.repeats}")


def step_timings(runs: Runs, repeats: int, widths: Sequence[int]) -> list[StepTiming]:
    """Return a step time per distinct hidden layers and optimizer, and per width asked for besides."""
    found: dict[str, RunConfig] = {}
    for config in runs.representatives((*SHAPE_FIELDS, "optimizer")):
        for hidden in (config.hidden, *((width,) * config.depth for width in widths)):
            found.setdefault(json.dumps([hidden, config.optimizer]), _reshaped(config, hidden))
    return [StepTiming(config, repeats) for config in found.values()]


def _reshaped(config: RunConfig, hidden: Sequence[int]) -> RunConfig:
    values = {name: config.__dict__[name] for name in RunConfig.model_fields}
    return RunConfig.trusted({**values, "hidden": hidden, "epochs": min(config.epochs, TIMED_EPOCHS)}, config.data)


class Planned(Protocol):
    """What planning and sweeping ask of a study."""

    @property
    def runs(self) -> Runs:
        """The distinct tuning runs."""

    @property
    def called(self) -> Called:
        """The competitors of tuned specs."""

    @property
    def repetitions(self) -> Sequence[Sequence[int]]:
        """The tuning seeds of each repetition."""

    @property
    def defaults(self) -> Runs | None:
        """The untuned competitors on the final seeds, where they are asked for."""

    @property
    def final(self) -> Mapping[str, Any] | None:
        """What the final runs are: {per, seeds}; `per` a column or several."""

    @property
    def timing(self) -> Mapping[str, Any] | None:
        """What step times to measure: {repeats, width}."""

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain data."""

    def command(self, directory: Path) -> str:
        """Return the shell command that runs it into `directory`."""


@dataclass(frozen=True)
class Work:
    """A study measured against a store. `final` is None while tuning runs are missing or none are asked for."""

    tuning: Runs
    final: ListedRuns | None
    defaults: Runs | None
    missing_tuning: list[int]
    missing_final: list[int]
    missing_defaults: list[int]
    missing_timings: list[StepTiming]
    timings: list[StepTiming]

    @property
    def stages(self) -> list[tuple[str, Sequence[str]]]:
        """The plan as the store keeps it; a run may have several parts in it."""
        found = [("tune", self.tuning), ("final", self.final), ("default", self.defaults)]
        return [(stage, runs.run_ids if runs else []) for stage, runs in found]

    @property
    def timing_keys(self) -> list[str]:
        """The names of the step times."""
        return [timing.key for timing in self.timings]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the store holds everything."""
        return not (self.missing_tuning or self.missing_final or self.missing_defaults or self.missing_timings)

    def states(self, known: Known) -> dict[str, int]:
        """Count the runs of all stages by their state; what is not stored is "missing"."""
        planned = dict.fromkeys(run_id for _, run_ids in self.stages for run_id in run_ids)
        return dict(Counter(known.get(run_id, ("missing",))[0] for run_id in planned))


def work(study: Planned, known: Known, timed: set[str]) -> Work:
    """Compare a study with what a store holds. A failed tuning run counts as made: it is tried once a call."""
    tuning, defaults = study.runs, study.defaults
    todo = missing(tuning, known)
    tried = all(tuning.run_ids[index] in known for index in todo)
    final = None
    if study.final and tried:
        per, seeds = study.final["per"], study.final["seeds"]
        final = final_runs(tuning, known, per, seeds, study.called, study.repetitions)
    timings = step_timings(tuning, study.timing["repeats"], study.timing["width"]) if study.timing else []
    return Work(
        tuning, final, defaults, todo, missing(final, known) if final else [],
        missing(defaults, known) if defaults else [], [t for t in timings if t.key not in timed], timings,
    )  # fmt: skip
