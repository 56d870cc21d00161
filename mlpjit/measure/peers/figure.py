"""The figure of the comparison: how many times longer each peer takes for the same training step, cell by cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from mlpjit.measure.peers.side_by_side import OURS, Comparison
from mlpjit.measure.peers.worker import SIDES
from mlpjit.report import style
from mlpjit.report.figures import layout

TITLE = "How many times longer do others take for the same training step?"
PEERS = [side for side in SIDES if side != OURS]
LOOKS = dict(zip(PEERS, zip(style.COLOURS, style.MARKERS, strict=False), strict=False))
ROW = 0.3  # inches
DOTS_PER_INCH = 150
APART = 0.17  # of a row, between peers
TICKS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
MOST_TICKS = 9


def draw(found: Comparison) -> Figure:
    """Return the figure: a row a cell, a mark a peer, on a logarithmic axis; lines are the ratios' quartiles.

    A mark is hollow where the peer ended at another loss than mlpjit.
    """
    cells = list(dict.fromkeys(timing.cell for timing in found.timings))
    peers = found.sides()[1:]
    legend = [layout.handle(side, color=LOOKS[side][0], marker=LOOKS[side][1], linestyle="") for side in peers]
    if not all(timing.agrees for timing in found.timings):
        legend.append(layout.handle("hollow: another loss", color=style.GREY, marker="o", mfc="white", linestyle=""))
    subtitle = (
        "Time of a step of one run over mlpjit's, float32, one thread, same data, first weights and order of samples;\n"
        "median of interleaved rounds, quartiles as lines. Batched sides: time over the number of their runs.\n"
        "depth x width, activation, optimizer, b: batch size"
    )
    room = layout.Room(left=layout.text_width(cells) + 0.15, right=0.3)
    sheet = layout.sheet(TITLE, subtitle, 1, 1, ROW * (len(cells) + 1), legend=legend, room=room)
    panel = sheet.panels[0]
    ratios = [timing.ratio for timing in found.timings]
    low, high = min([*ratios, 1.0]) / 1.2, max([*ratios, 2.0]) * 1.2
    layout.log_axis(panel, "x", low, high, ticks(low, high))
    panel.set_ylim(len(cells) - 0.4, -0.6)
    layout.fixed_ticks(panel.yaxis, range(len(cells)), cells)
    panel.axvline(1.0, color=style.BLACK, linewidth=1.2)
    _sides_of_one(panel, slower=min(ratios) < 1.0)
    for place, side in enumerate(peers):
        _marks(panel, found, side, cells, APART * (place - (len(peers) - 1) / 2))
    panel.set_xlabel("times mlpjit's step")
    return sheet.figure


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers in low..high, as many as find room; 1 is always one of them."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    chosen = ([digit * 10.0**e for e in exponents for digit in digits] for digits in TICKS)
    found = [[tick for tick in each if low <= tick <= high] for each in chosen]
    return next((each for each in found if len(each) <= MOST_TICKS), found[-1])


def _sides_of_one(panel: Any, slower: bool) -> None:
    """Say above the axis which side of 1 means what; the slower side only where something lies there."""
    words = [("mlpjit is faster \N{RIGHTWARDS ARROW}", 5, "left")]
    words += [("\N{LEFTWARDS ARROW} slower", -5, "right")] if slower else []
    for text, shift, side in words:
        panel.annotate(text, (1.0, 1.0), xycoords=("data", "axes fraction"), xytext=(shift, 2), ha=side, va="bottom",
                       textcoords="offset points", fontsize=8, color=style.GREY)  # fmt: skip


def _marks(panel: Any, found: Comparison, side: str, cells: list[str], shift: float) -> None:
    colour, marker = LOOKS[side]
    for timing in found.timings:
        if timing.side == side:
            row = cells.index(timing.cell) + shift
            panel.hlines(row, timing.low_ratio, timing.high_ratio, color=colour, linewidth=1)
            inside = colour if timing.agrees else "white"
            panel.plot(timing.ratio, row, marker, color=colour, markersize=5.5, markerfacecolor=inside)


def save(found: Comparison, directory: Path) -> list[Path]:
    """Write peers.svg and peers.png; return their paths."""
    paths = [directory / f"peers.{suffix}" for suffix in ("svg", "png")]
    with mpl.rc_context(style.RC):
        figure = draw(found)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
    return paths
