"""What a run leaves, read from its records and carried numbers, and the handle that watches and stops it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS, WHOLE_RECORDS
from mlpjit.kernels.tables import CARRY, CONTROL, NONE_AT, STATUS

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig

SAID = {STATUS.running: "running", STATUS.finished: "done", STATUS.diverged: "diverged", STATUS.stopped: "stopped"}
METRICS = (
    "final_train_loss", "final_validation_loss", "final_validation_score", "best_validation_loss", "best_epoch",
    "test_loss", "test_score", "best_test_loss", "best_test_score", "parameters", "diverged_step", "last_finite_loss",
)  # fmt: skip
TIMINGS = ("compile_seconds", "train_seconds", "evaluate_seconds")
# Counts by name, and where they are carried; steps that were skipped are told where there were some.
COUNTED = {"steps": "step", "gradients": "gradients", "skipped": "skipped"}


@dataclass
class RunResult:
    """What a run leaves.

    status: "done", "diverged" or "stopped". params: packed 1-D array. history: arrays with one row an evaluation
    (epoch 0 first, the last epoch always last); per-layer ones are (evaluations, layers). metrics, timings (seconds)
    and counts by name. `train_loss` is the mean of the epoch's step losses, each before its update and with the
    penalties (L1, L2), if any; validation and test losses are without them. counts: steps, gradients, and `skipped`
    where the clipping rule left out some of the steps.
    """

    config: RunConfig
    status: str
    params: np.ndarray
    history: dict[str, np.ndarray]
    metrics: dict[str, float | int | None]
    timings: dict[str, float]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def test_score(self) -> float | None:
        """Accuracy or R^2 on the test set at the end; None where the run diverged."""
        return self.metrics["test_score"]

    @property
    def test_accuracy(self) -> float | None:
        """The test score of a classification."""
        return self.metrics["test_score"]

    @property
    def seconds(self) -> float:
        """Seconds in compiled training steps, without compiling and evaluating."""
        return self.timings["train_seconds"]


class Control:
    """Watches and stops a run, or runs that one call makes one after the other, from another thread."""

    def __init__(self) -> None:
        self.array = np.zeros(len(CONTROL), np.int64)
        self.array[CONTROL.overdue] = NONE_AT
        self.runs, self.steps = 1, 0

    def expect(self, runs: int, steps: int) -> None:
        """Say how many runs there are, and the steps of each."""
        self.runs, self.steps = runs, steps

    @property
    def ended(self) -> int:
        """How many of the runs have ended."""
        return int(self.array[CONTROL.ended])

    def progress(self) -> tuple[int, int]:
        """Return the steps done and the steps of all the runs."""
        return self.ended * self.steps + int(self.array[CONTROL.progress]), self.runs * self.steps

    def stop(self) -> None:
        """Ask the run to return after the step, or the part of an evaluation, that it is in, and begin no other.

        Its status is then "stopped". A step on a large batch may take long, and is not cut short.
        """
        self.array[CONTROL.all] = 1
        self.array[CONTROL.stop] = 1

    def leave(self, place: int) -> None:
        """Stop one of the runs as `stop` does, and go on with the next. It may have ended already."""
        self.array[CONTROL.overdue] = place
        self.array[CONTROL.stop] = 1

    def go_on(self) -> None:
        """Take back a stop: the run may be advanced again, and ends with the same bits."""
        self.array[[CONTROL.stop, CONTROL.all]] = 0

    def limit(self, seconds: float) -> None:
        """Begin no other run once so much time is spent on those before."""
        self.array[CONTROL.budget] = round(1e9 * seconds)


@dataclass(frozen=True)
class Results:
    """What runs of one network leave, column by column: their states, numbers by name, records, times.

    numbers: metrics, counts and timings; None for what a run has not. records: (runs, evaluations, width), of which
    each run has `written` rows; those of the run stand before those of each layer. times: when each began and ended,
    (runs, 2) seconds of a clock that all share; zeros where there is none.
    """

    states: list[str]
    numbers: Mapping[str, list[Any]]
    records: np.ndarray
    written: list[int]
    layers: int
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.states)

    def among(self, places: Sequence[int]) -> Results:
        """Return those of some of the runs."""
        numbers = {name: [column[place] for place in places] for name, column in self.numbers.items()}
        states, written = [self.states[place] for place in places], [self.written[place] for place in places]
        return Results(states, numbers, self.records[places], written, self.layers, self.times[places])

    def of(self, place: int, names: Iterable[str]) -> dict[str, Any]:
        """Return some of the numbers of one run."""
        return {name: self.numbers[name][place] for name in names}

    def history(self, place: int) -> dict[str, np.ndarray]:
        """Return one entry an evaluation of one run, by record; records of layers are (evaluations, layers)."""
        return history_of(self.records[place, : self.written[place]], self.layers)


def results_of(
    statuses: np.ndarray, carries: np.ndarray, records: np.ndarray, times: np.ndarray, layers: int, parameters: int,
    compile_seconds: float = 0.0,
) -> Results:  # fmt: skip
    """Return the results of runs whose records and carried numbers are in the rows of these arrays.

    compile_seconds: what was spent before the first of them.
    """
    carried: list[list[float]] = carries.T.tolist()
    rows = carries[:, CARRY.rows_written].astype(np.int64)
    written: list[int] = rows.tolist()
    states = [SAID[status] for status in statuses.tolist()]
    timings: dict[str, list[Any]] = {
        "compile_seconds": [compile_seconds, *[0.0] * (len(states) - 1)][: len(states)],
        "train_seconds": carried[CARRY.train_seconds], "evaluate_seconds": carried[CARRY.evaluate_seconds],
    }  # fmt: skip
    counts = {name: carries[:, getattr(CARRY, of)].astype(np.int64).tolist() for name, of in COUNTED.items()}
    last = records[np.arange(len(records)), np.maximum(rows - 1, 0)]
    metrics = metrics_of(states, carried, last[:, : len(RUN_RECORDS)].T.tolist(), written, parameters)
    return Results(states, {**metrics, **counts, **timings}, records, written, layers, times)


def history_of(records: np.ndarray, layers: int) -> dict[str, np.ndarray]:
    """Return one entry an evaluation from records, whose rows hold those of the run, then those of each layer.

    Records of layers are (evaluations, layers).
    """
    of_run = {name: records[:, i].copy() for i, name in enumerate(RUN_RECORDS)}
    of_run |= {name: of_run[name].astype(np.int64) for name in WHOLE_RECORDS}
    by_layer = records[:, len(RUN_RECORDS) :].reshape(len(records), layers, len(LAYER_RECORDS))
    return of_run | {name: by_layer[:, :, i].copy() for i, name in enumerate(LAYER_RECORDS)}


def metrics_of(
    states: Sequence[str], carried: Sequence[Sequence[float]], last: Sequence[Sequence[float]],
    written: Sequence[int], parameters: int,
) -> dict[str, list[Any]]:  # fmt: skip
    """Return the numbers of runs, None for what one has not: final and test values only when it is done.

    carried: a list for each column of CARRY; last: one for each of the RUN_RECORDS, of each run's last row.
    """
    done, diverged = [state == "done" for state in states], [state == "diverged" for state in states]
    some, all_of = [rows > 0 for rows in written], [True] * len(states)
    tested = ("test_loss", "test_score", "best_test_loss", "best_test_score")
    return {
        "final_train_loss": _numbers(carried[CARRY.final_train_loss], all_of),
        "final_validation_loss": _numbers(last[RUN_RECORDS.index("validation_loss")], done),
        "final_validation_score": _numbers(last[RUN_RECORDS.index("validation_score")], done),
        "best_validation_loss": _numbers(carried[CARRY.best_loss], some),
        "best_epoch": _whole(carried[CARRY.best_epoch], some),
        **{name: _numbers(carried[getattr(CARRY, name)], done) for name in tested},
        "parameters": [parameters] * len(states),
        "diverged_step": _whole(carried[CARRY.diverged_step], diverged),
        "last_finite_loss": _numbers(carried[CARRY.last_finite_loss], all_of),
    }


def _numbers(column: Sequence[float], where: Sequence[bool]) -> list[float | None]:
    """Return floats, None for NaN and where a run has none."""
    return [number if there and number == number else None for number, there in zip(column, where, strict=True)]


def _whole(column: Sequence[float], where: Sequence[bool]) -> list[int | None]:
    """Return whole numbers, None where a run has none."""
    return [int(number) if there else None for number, there in zip(column, where, strict=True)]
