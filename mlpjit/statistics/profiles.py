"""Performance profiles: on what share of problems is a competitor within a factor of the best?

E. D. Dolan and J. J. More, Benchmarking optimization software with performance profiles, Math. Program. 91 (2002)
201-213, arXiv:cs/0102001. rho(tau) is the share of problems with cost at most tau times the lowest of any
competitor's. The integral over tau from 1 to a limit, divided by its length, is the score of AlgoPerf (Dahl et al.
2023, arXiv:2306.07179). Both depend on who takes part: they describe a field and decide about no pair.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .paired import Floats

LIMIT = 4.0  # AlgoPerf's


def ratios(costs: npt.ArrayLike) -> Floats:
    """Return each cost over the problem's lowest, shape (problems, competitors): inf for a failure.

    Costs are above 0; those not finite are failures. Raises ValueError for costs of 0 or less.
    """
    c = np.asarray(costs, dtype=np.float64)
    c = np.where(np.isfinite(c), c, np.inf)
    if not (c > 0).all():
        raise ValueError("a performance profile needs costs above 0, as steps or seconds to a target")
    best = c.min(axis=1, keepdims=True)
    return np.where(np.isinf(c), np.inf, c / np.where(np.isinf(best), 1.0, best))


def profile(costs: npt.ArrayLike, taus: npt.ArrayLike) -> Floats:
    """Return rho at each tau, shape (taus, competitors), for costs of shape (problems, competitors)."""
    return np.asarray((ratios(costs)[None] <= np.asarray(taus, dtype=np.float64)[:, None, None]).mean(axis=1))


def integral(costs: npt.ArrayLike, limit: float = LIMIT) -> Floats:
    """Return the exact mean height of each profile over tau in 1..limit: 1 for who is best everywhere.

    `costs` (problems, competitors) give shape (competitors,). Raises ValueError for a limit not above 1.
    """
    if not limit > 1:
        raise ValueError(f"a profile is integrated from 1 to a limit above it, got {limit}")
    return np.asarray((limit - np.minimum(ratios(costs), limit)).mean(axis=0) / (limit - 1))
