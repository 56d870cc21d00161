"""Whether a chosen setting lies at an end of what was tried, so that more may lie beyond it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from mlpjit.comparison.choosing import Plan, Row
from mlpjit.tuning.ranges import Range, parse_range

# Columns of numbers that are tuned; of depth, width and epochs more is another network, or more work.
TUNED = ("learning_rate", "weight_decay", "l1", "l2", "dropout", "batch_size")


def at_edges(plan: Plan, chosen: Row, tried: Sequence[Row]) -> dict[str, str]:
    """Return "low" or "high" by the name of each number of a setting that is at an end of what its competitor tried.

    The outer tenth of a range, or the end of a list. A number that is 0 has nothing below it.
    """
    found, others = {}, [numbers(plan, row) for row in tried]
    for name, value in numbers(plan, chosen).items():
        ranges = [each for each in _ranges(plan, chosen, name) if each.low <= value <= each.high]
        edges = {each.edge(value) for each in ranges} or {_end(value, [each[name] for each in others if name in each])}
        if len(edges) == 1 and (edge := edges.pop()) and not (edge == "low" and value == 0):
            found[name] = edge
    return found


def numbers(plan: Plan, row: Row) -> dict[str, float]:
    """Return the numbers of a row's setting: columns, and what is tuned inside specs, as optimizer.b1."""
    found: dict[str, Any] = {name: row.get(name) for name in TUNED}
    for column, labels in plan.study.get("settings", {}).items():
        entry = labels.get(row.get(column))
        parameters = entry["parameters"] if entry else {}
        found |= {f"{column}.{name}": value for name, value in parameters.items()}
    return {name: value for name, value in found.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _end(value: float, tried: Sequence[float]) -> str:
    """Return at which end of a list a value is; of a single value that is none."""
    low, high = min(tried, default=value), max(tried, default=value)
    return "" if low == high else {low: "low", high: "high"}.get(value, "")


def _ranges(plan: Plan, row: Row, name: str) -> Iterator[Range]:
    """Yield the ranges that a number was drawn from in the blocks that have the row's competitors."""
    for block in plan.study.get("blocks", ()):
        entry = block.get("ranges", {}).get(name)
        named = block.get("competitors", {}).items()
        if entry and all(plan.competitor(row, column) in labels for column, labels in named):
            yield parse_range(entry)
