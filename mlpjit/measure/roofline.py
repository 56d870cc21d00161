"""The roofline: each case's useful FLOP a second against its FLOP a byte, below what one core can do.

Source: Williams, Waterman & Patterson 2009, "Roofline: an insightful visual performance model", CACM 52(4).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from mlpjit.measure.clock import Spread
from mlpjit.measure.machine_limits import STREAMS
from mlpjit.measure.readings import Reading
from mlpjit.report import style
from mlpjit.report.figures import layout

if TYPE_CHECKING:
    from mlpjit.measure.measured import Measured

TITLE = "How near does each kernel come to what one core can do?"
GROUPS = {
    "product": "matrix products", "pass": "whole passes", "step": "training steps", "activation": "activations",
    "normalization": "normalization", "optimizer": "optimizers",
}  # fmt: skip
LOOKS = dict(zip(GROUPS, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
DOTS_PER_INCH = 150
CLEAR = (60, 9)  # points between two names


def draw(found: Measured, dtype: str) -> Figure:
    """Return the figure of the cases of one dtype that count their FLOP."""
    points = [r for r in [*found.kernels, *found.steps] if r.dtype == dtype and r.flop and r.group in GROUPS]
    roofs = {limit.name: limit.rate for limit in found.limits}
    groups = [group for group in GROUPS if any(point.group == group for point in points)]
    legend = [layout.handle(GROUPS[g], color=LOOKS[g][0], marker=LOOKS[g][1], linestyle="") for g in groups]
    subtitle = (
        f"{dtype}, one core: the level line is fused multiply-adds from registers, the slopes the fastest stream at"
        " each level of the memory.\nBytes are those that must be moved at least; points stand at their median."
    )
    sheet = layout.sheet(TITLE, subtitle, 1, 1, 5.0, legend=legend, room=layout.Room(right=1.2))
    panel = sheet.panels[0]
    peak = roofs[f"fma/{dtype}"].median
    x = [point.flop / point.moved for point in points]
    # A share was measured beside the case, the line at another moment: the share decides how far below it a point is.
    y = [point.shares["fma"].median * peak / 1e9 for point in points]
    left, right = min(x) / 3, max(x) * 3
    layout.log_axis(panel, "x", left, right)
    layout.log_axis(panel, "y", min(y) / 3, peak * 1.6 / 1e9)
    _roofs(panel, roofs, peak, left, right)
    for *at, point in zip(x, y, points, strict=True):
        colour, marker = LOOKS[point.group]
        panel.plot(*at, marker, color=colour, markersize=6)
    _names(panel, zip(x, y, points, strict=True))
    panel.set_xlabel("useful FLOP per byte moved")
    panel.set_ylabel("useful GFLOP/s")
    return sheet.figure


def _roofs(panel: Any, roofs: dict[str, Spread], peak: float, left: float, right: float) -> None:
    x = np.geomspace(left, right, 200)
    panel.plot(x, np.full(200, peak / 1e9), color=style.BLACK, linewidth=1.2)
    panel.annotate(f"{peak / 1e9:.0f} GFLOP/s", (right, peak / 1e9), xytext=(4, 0), textcoords="offset points",
                   va="center", fontsize=8.5, annotation_clip=False)  # fmt: skip
    low = panel.get_ylim()[0]
    for place, (level, rate) in enumerate(_fastest(roofs).items()):
        height = np.minimum(rate.median * x, peak) / 1e9
        panel.plot(x[height < peak / 1e9], height[height < peak / 1e9], color=style.GREY, linewidth=0.9)
        # The last two may be nearly the same line: their names stand apart.
        start = max(left, low * 1e9 / rate.median) * (6 if place == 3 else 1.1)
        panel.annotate(f"{level} {rate.median / 1e9:.0f} GB/s", (start, start * rate.median / 1e9), xytext=(3, 3),
                       textcoords="offset points", color=style.GREY, fontsize=8, rotation_mode="anchor",
                       rotation=_angle(panel))  # fmt: skip


def _fastest(roofs: dict[str, Spread]) -> dict[str, Spread]:
    """Return each level's fastest stream."""
    found: dict[str, Spread] = {}
    for name, rate in roofs.items():
        stream, _, level = name.partition("/")
        if stream in STREAMS and (level not in found or rate.median > found[level].median):
            found[level] = rate
    return found


def _angle(panel: Any) -> float:
    """Return the angle of a slope of 1 on the logarithmic axes, in degrees."""
    figure, place = panel.figure, panel.get_position()
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    across = place.width * figure.get_figwidth() / np.log10(right / left)
    up = place.height * figure.get_figheight() / np.log10(high / low)
    return float(np.degrees(np.arctan2(up, across)))


def _names(panel: Any, points: Iterable[tuple[float, float, Reading]]) -> None:
    """Write the names of rules and steps where they do not fall on another name."""
    taken: list[tuple[float, float]] = []
    for x, y, point in points:
        at = panel.transData.transform((x, y))
        clear = all(abs(at[0] - across) > CLEAR[0] or abs(at[1] - up) > CLEAR[1] for across, up in taken)
        if point.group in ("step", "activation", "optimizer") and clear:
            name = " ".join(point.name.split("/")[1:-1])
            panel.annotate(name, (x, y), xytext=(5, -2), textcoords="offset points", fontsize=6.5, color=style.GREY)
            taken.append(at)


def save(found: Measured, directory: Path) -> list[Path]:
    """Write roofline.svg and roofline.png; nothing where no case counts its FLOP."""
    dtypes = dict.fromkeys(r.dtype for r in [*found.kernels, *found.steps] if r.flop and r.group in GROUPS)
    paths = []
    for dtype in dtypes:
        name = "roofline" if len(dtypes) == 1 else f"roofline-{dtype}"
        with mpl.rc_context(style.RC):
            figure = draw(found, dtype)
            for suffix in ("svg", "png"):
                paths.append(directory / f"{name}.{suffix}")
                figure.savefig(paths[-1], dpi=DOTS_PER_INCH, metadata={"Date": None} if suffix == "svg" else None)
    return paths
