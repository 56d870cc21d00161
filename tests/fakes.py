"""A runner whose results are a function of the config alone: fast, deterministic, and free of kernels."""

from __future__ import annotations

import json
import os
import signal
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.tables import CONTROL
from mlpjit.store.arrays import CURVES, LAYER_CURVES
from mlpjit.study.pool import Runner
from mlpjit.training.result import Control, Results
from mlpjit.training.shape import parameter_count, total_steps


@dataclass
class FakeResult:
    config: RunConfig
    status: str
    history: dict[str, np.ndarray] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def drawn_for(config: RunConfig) -> np.random.Generator:
    """Return a stream of a config's own, by its values: its id is another with each edit of a kernel."""
    return np.random.default_rng(zlib.crc32(json.dumps(config.canonical(), sort_keys=True, default=str).encode()))


def fake_result(config: RunConfig) -> FakeResult:
    """A loss that is lowest at rate 0.1, worse with depth, and infinite at rate 9 or more."""
    random = drawn_for(config)
    diverged = config.learning_rate >= 9
    rows = 1 if diverged else config.epochs + 1
    loss = abs(np.log10(config.learning_rate) + 1) + 0.01 * config.depth + 0.001 * random.random()
    losses = loss + 1.0 / np.arange(1, rows + 1)
    shape = (rows, config.depth + 1)
    history = {"epoch": np.arange(rows), "step": np.arange(rows) * 10, "train_loss": losses,
               "validation_loss": losses, "validation_score": 1 / losses,
               "recorded_step": np.arange(rows) * 10}  # fmt: skip
    history |= {name: random.random(shape) for name in LAYER_CURVES}
    metrics = {"final_validation_loss": None if diverged else float(losses[-1]), "parameters": parameter_count(config),
               "test_score": None if diverged else 0.9, "diverged_step": 3 if diverged else None}  # fmt: skip
    timings = {"compile_seconds": 0.0, "train_seconds": random.random(), "evaluate_seconds": 0.1}
    counts = {"steps": total_steps(config), "gradients": total_steps(config)}
    return FakeResult(config, "diverged" if diverged else "done", history, metrics, timings, counts)


def results(made: Sequence[FakeResult]) -> Results:
    """What a runner gives for results one by one."""
    given = [{"final_validation_loss": None, **each.metrics, **each.counts, **each.timings} for each in made]
    names = dict.fromkeys(name for each in given for name in each)
    numbers = {name: [each.get(name) for each in given] for name in names}
    histories = [each.history or {"epoch": np.empty(0)} for each in made]
    written, layers = [len(history["epoch"]) for history in histories], made[0].config.depth + 1
    records = np.full((len(made), max(written), len(CURVES) + layers * len(LAYER_CURVES)), np.nan)
    for rows, history in zip(records, histories, strict=True):
        for name, column in history.items():
            first = len(CURVES) + LAYER_CURVES.index(name) if name in LAYER_CURVES else 0
            place = slice(first, None, len(LAYER_CURVES)) if first else CURVES.index(name)
            rows[: len(column), place] = column
    return Results([each.status for each in made], numbers, records, written, layers, np.zeros((len(made), 2)))


@dataclass
class Fake:
    """Makes runners; `made` lists the configs run, `fails` names activations whose runs raise."""

    seconds: float = 0.0
    fails: tuple[str, ...] = ()
    made: list[RunConfig] = field(default_factory=list)

    def execute(self, config: RunConfig, control: Control) -> FakeResult:
        if config.activation in self.fails:
            raise ValueError("no luck\nat all")
        until = time.monotonic() + self.seconds
        while time.monotonic() < until and not control.array[CONTROL.stop]:
            time.sleep(0.002)
        if control.array[CONTROL.stop]:
            return FakeResult(config, "stopped")
        self.made.append(config)
        return fake_result(config)

    def interrupt(self, config: RunConfig, control: Control) -> FakeResult:
        """Press Ctrl-C in the middle of a run, which then stops."""
        os.kill(os.getpid(), signal.SIGINT)
        while not control.array[CONTROL.stop]:
            time.sleep(0.002)
        return FakeResult(config, "stopped")

    def measure_step(self, config: RunConfig, repeats: int) -> dict[str, float]:
        return {"parameters": parameter_count(config), "step_seconds": 1e-4, "low_seconds": 9e-5, "high_seconds": 2e-4}

    def runner(self) -> Runner:
        return Runner(
            lambda configs, control: results([self.execute(config, control) for config in configs]),
            lambda configs, tell: 0.25,
            self.measure_step,
        )


TABLE: dict[str, Any] = {
    "name": "small", "dataset": "digits", "width": 8, "epochs": 3,
    "sweep": {
        "optimizer": ["sgd", {"name": "adam", "b1": 0.95}], "depth": [1, 2], "learning_rate": [0.01, 0.1, 10.0],
        "seed": [0, 1],
    },
    "final": {"per": "optimizer", "seeds": [100, 101, 102]},
    "timing": {"repeats": 2, "width": [4]},
}  # fmt: skip
