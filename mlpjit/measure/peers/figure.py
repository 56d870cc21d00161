"""The figure of the comparison: how many times longer each peer takes for the same training step, cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from mlpjit.figures import layout, style
from mlpjit.measure.peers.side_by_side import OURS, Comparison
from mlpjit.measure.peers.worker import SIDES

TITLE = "How many times longer do others take for the same training step?"
PEERS = [side for side in SIDES if side != OURS]
LOOKS = dict(zip(PEERS, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
ROW = 0.27  # inches
DOTS_PER_INCH = 150


def draw(found: Comparison) -> Figure:
    """Return the figure: a row a cell, a mark a peer, on a logarithmic axis; lines are the ratios' quartiles."""
    cells = list(dict.fromkeys(timing.cell for timing in found.timings))
    peers = found.sides()[1:]
    legend = [layout.handle(side, color=LOOKS[side][0], marker=LOOKS[side][1], linestyle="") for side in peers]
    subtitle = (
        "Time of a step of one run over mlpjit's, float32, one thread, same data, first weights and order of samples;\n"
        "median of interleaved rounds. Right of 1 mlpjit is faster. Batched sides: time over the number of their runs."
    )
    room = layout.Room(left=layout.text_width(cells) + 0.15, right=0.3)
    sheet = layout.sheet(TITLE, subtitle, 1, 1, ROW * (len(cells) + 1), legend=legend, room=room)
    panel = sheet.panels[0]
    ratios = [timing.ratio for timing in found.timings]
    layout.log_axis(panel, "x", min([*ratios, 1.0]) / 1.2, max([*ratios, 2.0]) * 1.2)
    panel.set_ylim(len(cells) - 0.4, -0.6)
    layout.fixed_ticks(panel.yaxis, range(len(cells)), cells)
    panel.axvline(1.0, color=style.BLACK, linewidth=1.2)
    for side in peers:
        _marks(panel, found, side, cells)
    panel.set_xlabel("times mlpjit's step")
    return sheet.figure


def _marks(panel: Any, found: Comparison, side: str, cells: list[str]) -> None:
    colour, marker = LOOKS[side]
    for timing in found.timings:
        if timing.side == side:
            row = cells.index(timing.cell)
            panel.hlines(row, timing.low_ratio, timing.high_ratio, color=colour, linewidth=1)
            panel.plot(timing.ratio, row, marker, color=colour, markersize=5.5)


def save(found: Comparison, directory: Path) -> list[Path]:
    """Write peers.svg and peers.png; return their paths."""
    paths = [directory / f"peers.{suffix}" for suffix in ("svg", "png")]
    with mpl.rc_context(style.RC):
        figure = draw(found)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
    return paths
