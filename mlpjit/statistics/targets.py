"""Cost to a target: the first step, gradient or second at which a curve is good enough; never is infinity.

As in Dahl et al. 2023 (arXiv:2306.07179): what was measured counts, nothing is interpolated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .paired import Floats


def cost_to_target(costs: npt.ArrayLike, curves: npt.ArrayLike, target: float, higher_is_better: bool) -> Floats:
    """Return the cost of the first point of each curve that reaches the target, inf where none does.

    `curves` (..., points) are scores in the order they were taken; `costs` are what had been spent by then, of shape
    (points,) or the curves' own: steps, gradients or seconds. A value that is not a number reaches nothing. Raises
    ValueError for curves without points.
    """
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError("a curve needs one point at least")
    spent = np.broadcast_to(np.asarray(costs, dtype=np.float64), values.shape)
    reached = values >= target if higher_is_better else values <= target
    first = reached.argmax(axis=-1)[..., None]
    return np.where(reached.any(axis=-1), np.take_along_axis(spent, first, axis=-1)[..., 0], np.inf)
