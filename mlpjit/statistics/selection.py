"""Which setting is best: chosen on validation loss over tuning seeds, never on test data.

A setting is everything that shapes a run except its seeds: `factors` names it, seeds left out. Its value is the median
final validation loss over the tuning seeds, where a run that diverged, failed or timed out counts as +inf and is never
dropped. Pure Python: the sweep calls this between its two stages, before pandas is ever imported.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

TUNING = ("tune", "dropped")  # stages: settings that may be chosen, and those that a race dropped
TOLERANCE = 0.10  # the good range: medians within 10 % of the best's

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """One setting's verdict over its tuning seeds.

    `factors` holds the factor columns, seeds excluded; `losses` the final validation losses, sorted, +inf for
    a run that did not finish; `members` the positions of its rows in what was given, in order. Arrays, since as
    objects of Python's they take four times the room for each of 100,000 runs.
    """

    factors: dict[str, Any]
    median: float
    losses: array[float]
    members: array[int]

    @property
    def diverged(self) -> int:
        """How many of its runs count as +inf."""
        return sum(math.isinf(loss) for loss in self.losses)


@dataclass(frozen=True)
class RateRange:
    """The learning rates of one combination, ascending, with their medians and what is good among them.

    `edge` is "low" or "high" where the best rate ends its grid, "only" for a grid of one rate, "all diverged"
    where no rate has a finite median, else None. `contiguous` says whether the good rates are neighbours.
    """

    rates: tuple[float, ...]
    medians: tuple[float, ...]
    best: float
    good: tuple[float, ...]
    contiguous: bool
    edge: str | None


def validation_loss(row: Row) -> float:
    """Return the row's final validation loss; +inf unless the run is done and its loss finite."""
    loss = row.get("final_validation_loss")
    if row.get("state", "done") != "done" or loss is None or not math.isfinite(loss):
        return math.inf
    return float(loss)


def settings(rows: Iterable[Row], factors: Sequence[str]) -> list[Setting]:
    """Group tuning rows (a stage of `TUNING` or none given) into settings, best first; ties break by `_rank`.

    Who chooses leaves out the rows of dropped settings, which have fewer seeds. A factor that a row has not is no part
    of its setting.
    """
    groups: dict[tuple[Any, ...], tuple[dict[str, Any], array[float], array[int]]] = {}
    for position, row in enumerate(rows):
        if row.get("stage", "tune") not in TUNING:
            continue
        names = [name for name in factors if name in row]
        key = tuple(_hashable(row[name]) for name in names)
        if key not in groups:
            groups[key] = ({name: row[name] for name in names}, array("d"), array("q"))
        groups[key][1].append(validation_loss(row))
        groups[key][2].append(position)
    found = [_setting(factors, losses, members) for factors, losses, members in groups.values()]
    return sorted(found, key=_rank)


def best_per(rows: Iterable[Row], columns: Sequence[str], factors: Sequence[str]) -> dict[tuple[Any, ...], Setting]:
    """Return the best setting for each combination of the values of `columns`, in a stable order of them.

    Losses of two problems do not compare: where there are several, what makes a problem is among the columns.
    """
    best: dict[tuple[Any, ...], Setting] = {}
    for setting in settings(rows, factors):
        best.setdefault(tuple(_hashable(setting.factors.get(name)) for name in columns), setting)
    return dict(sorted(best.items(), key=lambda item: [order_key(value) for value in item[0]]))


def best_settings(rows: Iterable[Row], per: str, factors: Sequence[str]) -> dict[Any, dict[str, Any]]:
    """Return, for each value of `per` on one problem, the factors of its best setting."""
    return {label: setting.factors for (label,), setting in best_per(rows, (per,), factors).items()}


def rate_range(medians: Mapping[float, float], tolerance: float = TOLERANCE) -> RateRange:
    """Judge one combination from its median loss (finite or +inf) at each learning rate.

    The smallest rate wins a tie. Raises ValueError for an empty mapping.
    """
    if not medians:
        raise ValueError("rate_range needs at least one learning rate")
    rates = tuple(sorted(medians))
    values = tuple(_infinite_if_nan(medians[rate]) for rate in rates)
    lowest = min(values)
    best = rates[values.index(lowest)]
    good = tuple(rate for rate, value in zip(rates, values, strict=True) if _is_good(value, lowest, tolerance))
    return RateRange(rates, values, best, good, _neighbours(rates, good), _edge(rates, best, lowest))


def best_rates(found: Iterable[Setting]) -> dict[tuple[tuple[str, Any], ...], RateRange]:
    """Return the rate range of every combination: a setting's factors without its learning rate."""
    grids: dict[tuple[tuple[str, Any], ...], dict[float, float]] = {}
    for setting in found:
        grids.setdefault(combination(setting.factors), {})[setting.factors["learning_rate"]] = setting.median
    return {key: rate_range(grid) for key, grid in grids.items()}


def combination(factors: Row) -> tuple[tuple[str, Any], ...]:
    """Return a setting's factors without its learning rate as a hashable key."""
    return tuple((name, _hashable(value)) for name, value in factors.items() if name != "learning_rate")


def order_key(value: Any) -> tuple[int, float, str]:
    """Sort nothing (None, NaN, "none") first, then numbers by value, then text by the alphabet."""
    if value is None or value == "none" or value != value:
        return (-1, 0.0, "")
    if isinstance(value, (int, float)):
        return (0, float(value), "")
    return (1, 0.0, str(value))


def _setting(factors: dict[str, Any], losses: array[float], members: array[int]) -> Setting:
    return Setting(factors, median(losses), array("d", sorted(losses)), members)


def _rank(setting: Setting) -> tuple[Any, ...]:
    """Lower median, then fewer runs lost, then lower losses, then lower rates, then what is plainer.

    Exact ties happen: clipping that never bites leaves every bit as it was.
    """
    factors = tuple((name, order_key(value)) for name, value in setting.factors.items() if name != "learning_rate")
    rate = order_key(setting.factors.get("learning_rate"))
    return (setting.median, setting.diverged / len(setting.losses), setting.losses, rate, factors)


def _hashable(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None  # NaN differs from itself: a missing width would make every row its own setting
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _infinite_if_nan(value: float) -> float:
    return math.inf if math.isnan(value) else float(value)


def _is_good(value: float, lowest: float, tolerance: float) -> bool:
    return math.isfinite(value) and value <= lowest + tolerance * abs(lowest)


def _neighbours(rates: Sequence[float], good: Sequence[float]) -> bool:
    if not good:
        return True
    return rates.index(good[-1]) - rates.index(good[0]) + 1 == len(good)


def _edge(rates: Sequence[float], best: float, lowest: float) -> str | None:
    if math.isinf(lowest):
        return "all diverged"
    if len(rates) == 1:
        return "only"
    return {rates[0]: "low", rates[-1]: "high"}.get(best)
