"""Which settings of a grid the final stage runs: for each problem and competitor the best one, on tuning runs alone.

A problem is a dataset with its loss: losses of two of them do not compare. A competitor is a value of the column, or
columns, that `[final] per` names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.config.fields import PROBLEM, SETTING, columns_of

Known = Mapping[str, tuple[str, float | None, float | None]]


def groups_of(per: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns whose combinations have a best setting each: the problem's, then the competitor's."""
    return tuple(dict.fromkeys((*PROBLEM, *columns_of(per))))


def chosen(
    columns: Mapping[str, Sequence[Any]], run_ids: Sequence[str], known: Known, groups: Sequence[str]
) -> list[int]:
    """Return for each combination of `groups` the first run of its best setting, in a stable order of them.

    `columns` holds a value a run of what varies and of what is grouped by.
    """
    from mlpjit.statistics.selection import best_per

    found = [known.get(run_id, ("missing", None, None)) for run_id in run_ids]
    losses = [math.inf if state != "done" or loss is None else loss for state, _, loss in found]
    near = contenders(columns, np.array(losses), groups)
    rows = [
        {name: column[index] for name, column in columns.items()}
        | {"state": found[index][0], "final_validation_loss": found[index][2]}
        for index in near
    ]
    factors = (*SETTING, *(name for name in groups if name not in SETTING))
    return [near[setting.members[0]] for setting in best_per(rows, groups, factors).values()]


def contenders(
    columns: Mapping[str, Sequence[Any]], losses: npt.NDArray[np.float64], groups: Sequence[str]
) -> list[int]:
    """Return the runs whose setting has the lowest median loss of its combination of `groups`, ties included.

    What selection then ranks is a handful of settings, however many runs there are.
    """
    settings = _codes(list(zip(*columns.values(), strict=True)))
    medians = group_medians(settings, losses)[settings]
    labels = _codes(list(zip(*(columns[name] for name in groups), strict=True)))
    lowest = np.full(labels.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest, labels, medians)
    return np.flatnonzero(medians <= lowest[labels]).tolist()


def _codes(values: Sequence[Any]) -> npt.NDArray[np.intp]:
    """Number distinct values in order of appearance."""
    numbers: dict[Any, int] = {}
    codes = (numbers.setdefault(value, len(numbers)) for value in values)
    return np.fromiter(codes, dtype=np.intp, count=len(values))


def group_medians(groups: npt.NDArray[np.intp], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median of the values of each group 0, 1, ...; of an even number the mean of the middle two."""
    order = np.lexsort((values, groups))
    counts = np.bincount(groups)
    starts = np.cumsum(counts) - counts
    low, high = (values[order[starts + middle]] for middle in ((counts - 1) // 2, counts // 2))
    return (low + high) / 2
