"""Runs of one template, one after the other in one memory: made by one compiled call, or begun alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlpjit.catalogue.datasets import splits
from mlpjit.errors import DatasetError
from mlpjit.host import check_rounding
from mlpjit.kernels.run.beginning import CHUNK, OWN, OWN_NUMBER, OWN_WIDTH
from mlpjit.kernels.tables import ARRAY, CARRY, PLAN, filled
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.lanes import Lanes, lanes_of
from mlpjit.training.memory import Memory
from mlpjit.training.result import Control, Results, results_of
from mlpjit.training.template import template_of
from mlpjit.training.values import RunValues, own_columns, shared, values_of
from mlpjit.training.warm import prepare_once

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig

# Where a run's own seeds and numbers stand.
SEEDS = {OWN.draw_seed: "seed", OWN.init_seed: "init_seed", OWN.order_seed: "order_seed"}
NUMBERS = {
    OWN_NUMBER.learning_rate: "learning_rate", OWN_NUMBER.decay: "weight_decay", OWN_NUMBER.momentum: "momentum",
    OWN_NUMBER.l1: "l1", OWN_NUMBER.l2: "l2",
}  # fmt: skip


class Chunk:
    """Runs that differ in what `own_columns` returns; `values` are those of any of them.

    Raises DatasetError where the data are not those that were planned with.
    """

    def __init__(self, values: RunValues, runs: Sequence[RunConfig | RunValues], control: Control) -> None:
        self.values, self.control, self.count = values, control, len(runs)
        self.template = template = template_of(shared(values))
        self.side = lanes_of(template, runs)
        self.memories = [Memory(template.layout) for _ in range(max(1, self.side))]
        self.memory = self.memories[0]
        self._take_own(runs)
        self._make_images()
        self.statuses, self.times = np.zeros(self.count, np.int64), np.zeros((self.count, 2))
        self.carries = np.empty((self.count, len(CARRY)))
        self.histories = np.empty((self.count, *template.layout.places["records"].shape))
        self._fill_table()
        control.expect(self.count, template.steps)

    def _take_own(self, runs: Sequence[RunConfig | RunValues]) -> None:
        columns = {**own_columns(runs), "momentum": self.template.momentum}
        self.own, self.numbers = np.zeros((self.count, OWN_WIDTH), np.int64), np.empty((self.count, len(OWN_NUMBER)))
        for place, name in SEEDS.items():
            self.own[:, place] = columns[name]
        for place, name in NUMBERS.items():
            self.numbers[:, place] = columns[name]
        self._take_splits(columns["split_seed"])
        if self.template.beginnings.given:
            self._give_parameters(columns["init_seed"], columns["split_seed"])

    def _take_splits(self, seeds: Sequence[int]) -> None:
        values = self.values
        self.splits = splits(values.dataset, seeds, values.dtype)
        if any(found.data_hash != values.data.data_hash for found in self.splits.values()):
            raise DatasetError(f"dataset {values.dataset['name']!r}: file changed while the study ran")
        places = {seed: place for place, seed in enumerate(self.splits)}
        addresses = np.array([found.addresses for found in self.splits.values()])
        self.own[:, OWN.data :] = addresses[[places[seed] for seed in seeds]]

    def _give_parameters(self, init_seeds: Sequence[int], split_seeds: Sequence[int]) -> None:
        """Work out the first parameters that compiled code cannot draw."""
        template, init = self.template, dict(self.values.init)
        self.given = np.zeros((self.count, template.count), template.dtype)
        for into, seed, part in zip(self.given, init_seeds, split_seeds, strict=True):
            samples = self.splits[part].x_train
            initial_params(template.layers, init, seed, template.dtype, template.names, samples, into)
        self.own[:, OWN.given] = self.given.ctypes.data + np.arange(self.count) * self.given.strides[0]

    def _make_images(self) -> None:
        """Make what each memory holds when a run begins in it."""
        template = self.template
        at = np.array([[memory.address] for memory in self.memories])
        self.images = np.tile(template.image, (len(at), 1))
        start, words = template.own("tables"), template.relative.nbytes
        own = self.images[:, start : start + words].view(np.int64)
        own += template.relative * at
        own[:, (template.own("plan") - start) // 8 + PLAN.last_step] = template.steps
        own[:, (template.own("addresses") - start) // 8 + ARRAY.control] = self.control.array.ctypes.data
        rows, moved = template.beginnings.rows, template.beginnings.moved
        self.beginnings = rows + moved * at[:, :, None]

    def _fill_table(self) -> None:
        self.scratch = np.empty(self.template.beginnings.scratch)
        rows, width = self.template.layout.places["records"].shape
        shared = {
            "runs": self.count, "train": self.template.train_at, "words": self.template.layout.size // 8,
            "copied": self.images.shape[1] // 8, "own": self.own, "own_numbers": self.numbers,
            "beginning_count": self.beginnings.shape[1], "beginning_numbers": self.template.beginnings.numbers,
            "scratch": self.scratch, "control": self.control.array, "statuses": self.statuses,
            "carries": self.carries, "histories": self.histories, "history_size": rows * width,
            "record_width": width, "times": self.times, "lanes": 0, "make_group": 0, "group": 0,
        }  # fmt: skip
        own = self._own()
        self.table = np.tile(filled(CHUNK, shared | dict.fromkeys(own, 0)), (len(self.memories), 1))
        for name, column in own.items():
            self.table[:, getattr(CHUNK, name)] = column
        if self.side:
            self.lanes = Lanes(self.template, self.table)
            self.table[0, [CHUNK.lanes, CHUNK.make_group]] = self.side, self.lanes.address
            self.table[0, CHUNK.group] = self.lanes.table.ctypes.data

    def _own(self) -> dict[str, np.ndarray]:
        """Return what each memory has in the table, by column."""
        at, own = np.array([memory.address for memory in self.memories]), self.template.own
        images, beginnings = (
            each.ctypes.data + np.arange(len(at)) * each.strides[0] for each in (self.images, self.beginnings)
        )
        return {
            "memory": at, "image": images, "beginnings": beginnings, "arrays": at + own("addresses"),
            **{name: at + own(name) for name in ("plan", "numbers", "carry", "records")},
        }  # fmt: skip

    def begin(self) -> None:
        """Make the memory that of the first run before its first step."""
        self.template.begin(self.table.ctypes.data, 0, 1)

    def make(self, spent: float = 0.0) -> Results:
        """Make all runs and return the results of those that ended. Releases the GIL."""
        check_rounding()
        made = self.template.make(self.table.ctypes.data)
        layers, count = len(self.template.layers), self.template.count
        return results_of(
            self.statuses[:made], self.carries[:made], self.histories[:made], self.times[:made], layers, count, spent
        )


def make(configs: Sequence[RunConfig], control: Control) -> Results:
    """Make runs that differ in their rate, penalties and seeds alone; return the results of those that ended."""
    values = values_of(configs[0])
    spent = prepare_once(shared(values), configs[0])
    return Chunk(values, configs, control).make(spent)
