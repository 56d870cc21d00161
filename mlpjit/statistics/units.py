"""One difference per problem, in a unit that problems share: what a test over problems takes.

Over problems the problems are the sample: each gives one number, however many seeds it has. Raw scores of different
problems (an error of 30,000 dollars, a share of 0.8) do not compare, so a mean is ruled by one problem and even ranks
by the scales. In units of the control's own seed standard deviation a difference says how much of the noise it is.
The unit is part of the verdict and named with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from . import paired
from .paired import Floats


def over_problems(
    first: Sequence[npt.ArrayLike],
    second: Sequence[npt.ArrayLike],
    higher_is_better: bool,
    unit: npt.ArrayLike = 1.0,
) -> Floats:
    """Return each problem's mean paired difference over its seeds, divided by `unit` (one, or one per problem).

    `first` and `second` hold the scores of a problem per entry, its seeds in the same order. A problem with more runs
    lost by one side than by the other counts as infinite. Raises ValueError for unequal numbers or a unit not above 0.
    """
    pairs = [paired.differences(a, b, higher_is_better) for a, b in zip(first, second, strict=True)]
    means = np.array([paired.mean(pair) for pair in pairs])
    scale = np.broadcast_to(np.asarray(unit, dtype=np.float64), means.shape)
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"a unit is finite and above 0, got {scale.tolist()}")
    return np.asarray(means / scale)


def seed_spread(scores: Sequence[npt.ArrayLike]) -> Floats:
    """Return each problem's standard deviation over its seeds (n - 1), lost runs left out: the unit that they lack.

    Raises ValueError for a problem whose finite scores are fewer than two or all alike: it has no such unit.
    """
    spreads = np.array([spread(problem) for problem in scores])
    if (spreads == 0).any():
        raise ValueError(
            f"no spread over seeds on problems {np.flatnonzero(spreads == 0).tolist()}: choose another unit"
        )
    return spreads


def spread(scores: npt.ArrayLike) -> float:
    """Return the standard deviation over the seeds of one problem, lost runs left out; 0 where there is none."""
    values = np.asarray(scores, dtype=np.float64)
    finite = values[np.isfinite(values)]
    return float(finite.std(ddof=1)) if finite.size > 1 and np.ptp(finite) > 0 else 0.0
