"""What competitors are scored by: which columns can be, which way is better, in which unit they are shown."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.store.schema import COUNTS, METRICS, TIMINGS

# Losses and scores of a run's end and of its best epoch, its counts and its times.
MEASURES = (
    *(name for name in METRICS if name.endswith(("_loss", "_score")) and name != "last_finite_loss"),
    *COUNTS,
    *TIMINGS,
)
REPORTED = {"final": "test_score", "tune": "final_validation_score"}  # what a stage is judged by


@dataclass(frozen=True)
class Measure:
    """A column on one problem: `factor` times what is stored is in `unit`."""

    name: str
    unit: str
    factor: float = 1.0

    @property
    def title(self) -> str:
        """The column in words with its unit: test accuracy in points, test R², test loss."""
        words = self.name.replace("_", " ")
        if not self.name.endswith("_score"):
            return words
        return words.replace("score", "accuracy in points" if self.unit == "points" else self.unit)

    @property
    def higher_is_better(self) -> bool:
        """Scores are the better the higher; losses, steps, gradients and seconds the lower."""
        return self.name.endswith("_score")

    def value(self, row: Mapping[str, Any]) -> float:
        """Return the row's value in the unit; NaN for a run that was lost."""
        stored = row.get(self.name)
        if row["state"] != "done" or stored is None or not math.isfinite(stored):
            return math.nan
        return self.factor * float(stored)


def check_measure(name: str) -> None:
    """Raise ConfigError for a column by which nothing can be compared."""
    if name not in MEASURES:
        hint = suggestion(name, MEASURES)
        raise ConfigError(f"unknown metric {name!r}{hint}")


def measure(name: str, dataset: str, loss: str, classified: Collection[str]) -> Measure:
    """Return a column as a problem measures it: accuracy in points, R² as it is."""
    if name.endswith("_score"):
        return Measure(name, "points", 100.0) if classifies(dataset, loss, classified) else Measure(name, "R²")
    if name.endswith("_loss"):
        return Measure(name, "loss")
    return Measure(name, "s" if name.endswith("_seconds") else name)


def classifies(dataset: str, loss: str, classified: Collection[str]) -> bool:
    """Whether a problem's score is an accuracy, by the labels of its loss and, where that takes both, its data set.

    classified: of the user's own data, the labels of those that have classes, as the study's plan names them.
    """
    from mlpjit.catalogue.datasets import datasets
    from mlpjit.catalogue.registries import losses

    used, name = str(loss).partition("(")[0], str(dataset).partition("(")[0]
    if used in losses and losses[used].classes:
        return True
    return dataset in classified or (name in datasets and getattr(datasets[name], "task", "") == "classification")
