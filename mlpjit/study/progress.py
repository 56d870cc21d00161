"""How far a sweep is: a plain snapshot that any display can draw."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig


@dataclass(frozen=True)
class Snapshot:
    """A sweep at one moment. `total` counts this stage's runs, `cached` those that the store held already.

    `eta_seconds` covers this stage and weighs runs by their estimated cost; None while nothing is known.
    `best_loss` is the lowest final validation loss of the runs made now, `best_label` what reached it.
    `preparing` says, before the first run, which of how many things is being compiled.
    """

    stage: str
    total: int
    cached: int
    done: int
    diverged: int
    failed: int
    elapsed_seconds: float
    rate: float
    eta_seconds: float | None
    best_loss: float | None = None
    best_label: str = ""
    preparing: str = ""


@dataclass
class Tracker:
    """Counts one stage and reports at most every `interval` seconds, and at its end."""

    stage: str
    total: int
    cached: int
    cost: float
    report: Callable[[Snapshot], None] | None = None
    interval: float = 0.1
    done: int = 0
    diverged: int = 0
    failed: int = 0
    cost_done: float = 0.0
    best_loss: float | None = None
    best_label: str = ""
    preparing: str = ""
    started: float = field(default_factory=time.monotonic)
    _reported: float = 0.0

    def add(self, state: str, cost: float, loss: float | None, label: str) -> None:
        """Count one run that ended in `state`."""
        self.done += 1
        self.cost_done += cost
        self.diverged += state == "diverged"
        self.failed += state in ("failed", "timed_out")
        if self.is_best(state, loss):
            self.best_loss, self.best_label = loss, label

    def is_best(self, state: str, loss: float | None) -> bool:
        """Say whether a run has the lowest loss so far."""
        return state == "done" and loss is not None and (self.best_loss is None or loss < self.best_loss)

    def prepare(self, done: int, total: int, what: str) -> None:
        """Report what is being compiled, after `done` of `total`."""
        self.preparing = f"{done + 1} of {total}: {what}" if done < total else ""
        self.tick()

    def snapshot(self, running: float = 0.0) -> Snapshot:
        """Return the present state; `running` is the cost already spent on runs that have not ended."""
        elapsed = time.monotonic() - self.started
        spent = self.cost_done + running
        eta = elapsed * max(self.cost - spent, 0.0) / spent if spent > 0 else None
        rate = self.done / elapsed if elapsed > 0 else 0.0
        return Snapshot(
            self.stage, self.total, self.cached, self.done, self.diverged, self.failed, elapsed, rate, eta,
            self.best_loss, self.best_label, self.preparing,
        )  # fmt: skip

    def tick(self, running: float = 0.0, force: bool = False) -> None:
        """Report, unless that happened a moment ago."""
        now = time.monotonic()
        if self.report and (force or now - self._reported >= self.interval):
            self._reported = now
            self.report(self.snapshot(running))


def label_of(config: RunConfig) -> str:
    """Return what a display calls a run."""
    factors = config.factors()
    return f"{factors['optimizer']}, rate {factors['learning_rate']:g}"
