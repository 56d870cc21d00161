"""How everything looks, in one place: colours, markers, scales, number formats, saving.

The palette is Okabe & Ito's (2008), safe for the colour-blind, less its yellow, which vanishes on white.
Marker and line style differ as well, so that a page printed in grey stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from mlpjit.statistics.selection import order_key

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK)
# Tol's "muted" (2021): of lines that are no competitors, so that a competitor's colour means nothing else.
MUTED = ("#332288", "#CC6677", "#44AA99", "#999933", "#882255", "#88CCEE", "#AA4499", "#117733", "#DDCC77")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">")
GREY, PALE, LOST = "#595959", "#d9d9d9", "#c8c8c8"
SEQUENTIAL = "viridis_r"  # small losses bright, large ones dark; monotone in grey

RC: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same glyphs on every machine
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titley": 1.0,  # else every draw searches for a place: a seventh of the time
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": BLACK,
    "ytick.labelcolor": BLACK,
    "xtick.minor.visible": False,
    "ytick.minor.visible": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "svg.hashsalt": "mlpjit",  # the same figure gives the same bytes
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class Look:
    """One label's colour, marker and line style."""

    colour: str
    marker: str
    dashes: Any

    def line(self, marked: bool = True) -> dict[str, Any]:
        """Return keyword arguments for Axes.plot."""
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker if marked else "None"}

    def nested(self, position: int, size: float = 7) -> dict[str, Any]:
        """As `line`, thinner the later: a line that hides another lets it be seen on both sides."""
        return self.line() | {"linewidth": max(2.6 - 0.4 * position, 1), "markersize": max(size - position, 0.4 * size)}


# Fixed for ever: a reader who knows one figure knows them all. Labels of one kind never share a look.
KNOWN = {
    "sgd": Look(BLACK, "o", DASHES[0]),
    "momentum": Look(ORANGE, "s", DASHES[1]),
    "nesterov": Look(PURPLE, "D", DASHES[3]),
    "rmsprop": Look(GREEN, "^", DASHES[3]),
    "adam": Look(BLUE, "v", DASHES[0]),
    "adamw": Look(SKY, "P", DASHES[1]),
    "adagrad": Look(VERMILLION, "X", DASHES[2]),
    "sigmoid": Look(VERMILLION, "s", DASHES[1]),
    "tanh": Look(ORANGE, "^", DASHES[3]),
    "relu": Look(BLACK, "o", DASHES[0]),
    "leaky_relu": Look(PURPLE, "D", DASHES[1]),
    "prelu": Look(PURPLE, "o", DASHES[3]),
    "elu": Look(GREEN, "P", DASHES[2]),
    "gelu": Look(BLUE, "v", DASHES[0]),
    "identity": Look(SKY, "X", DASHES[3]),
    "silu": Look(SKY, "o", DASHES[0]),
    "hard_swish": Look(SKY, "D", DASHES[2]),
    "mish": Look(PURPLE, "s", DASHES[2]),
    "erf": Look(PURPLE, "^", DASHES[0]),
    "softplus": Look(VERMILLION, "v", DASHES[3]),
    "hard_sigmoid": Look(VERMILLION, "P", DASHES[2]),
    "selu": Look(GREEN, "o", DASHES[1]),
    "celu": Look(GREEN, "<", DASHES[3]),
    "gelu_tanh": Look(BLUE, "<", DASHES[1]),
    "sine": Look(BLUE, "X", DASHES[2]),
    "snake": Look(BLUE, "D", DASHES[3]),
    "lecun_tanh": Look(ORANGE, "o", DASHES[0]),
    "hard_tanh": Look(ORANGE, "v", DASHES[1]),
    "softsign": Look(ORANGE, "X", DASHES[2]),
    "relu6": Look(BLACK, "s", DASHES[1]),
    "relu_squared": Look(BLACK, "^", DASHES[2]),
}


def looks(labels: Iterable[Any]) -> dict[Any, Look]:
    """Return a look for each label: the fixed one if known, else one chosen by its name and not yet taken."""
    ordered = sorted(set(labels), key=order_key)
    chosen = {label: KNOWN[label] for label in ordered if label in KNOWN}
    for label in ordered:
        if label not in chosen:
            chosen[label] = _free_look(str(label), list(chosen.values()))
    return chosen


def muted(labels: Iterable[Any]) -> dict[Any, Look]:
    """Return looks for what is no competitor: markers and line styles as ever, in colours that no competitor has."""
    known = looks(labels)
    return {
        label: replace(look, colour=MUTED[at % len(MUTED)])
        for at, (label, look) in enumerate(sorted(known.items(), key=lambda item: order_key(item[0])))
    }


def _free_look(name: str, taken: Sequence[Look]) -> Look:
    """Start at the slot that the name hashes to; take the first that is free, with a free colour if any."""
    slots = [
        Look(colour, MARKERS[(i + 2 * j) % len(MARKERS)], dashes)
        for j, dashes in enumerate(DASHES)
        for i, colour in enumerate(COLOURS)
    ]
    start = crc32(name.encode()) % len(slots)
    free = [slot for slot in slots[start:] + slots[:start] if slot not in taken]
    colours = {look.colour for look in taken}
    fresh = [slot for slot in free if slot.colour not in colours]
    return next(iter(fresh or free), slots[start])


def ramp(count: int) -> list[Any]:
    """Return `count` colours from light to dark for ordered lines, such as depths; the palest is left out."""
    from matplotlib import colormaps

    steps = [0.15 + 0.85 * i / max(count - 1, 1) for i in range(count)]
    return [colormaps[SEQUENTIAL](step) for step in steps]


WORDS = {
    "hidden": "hidden layers",
    "init": "initialization",
    "clip": "clipping",
    "l1": "L1 penalty",
    "l2": "L2 penalty",
}


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: a, b and c."""
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def at_best(factors: Sequence[str]) -> str:
    """Return the end of a subtitle that says what was chosen; empty where nothing was."""
    names = [WORDS.get(name, name.replace("_", " ")) for name in factors]
    return f", each at its own best {listed(names)}" if names else ""


def short(value: float) -> str:
    """Format a number for a heat map's cell in five characters at most: 0.081, 1.23, 12, 4e5."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000 or size < 0.001:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:.3f}" if size < 0.0995 else f"{value:.2f}" if size < 10 else f"{value:.0f}"


def percent(share: float) -> str:
    """Write a share of 1 in whole percent, as in a sentence."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def rate(value: float) -> str:
    """Format a learning rate in six characters at most: 0.03, 0.032, 1e-3, 3.2e-4."""
    if value >= 0.01:
        return f"{value:.2g}"
    return f"{value:.1e}".replace("e-0", "e-").replace(".0e", "e")


def normalized(name: str, plain: str = "plain") -> str:
    """Return how figures and tables call a normalization, perhaps with skips: "batch norm"; `plain` for none."""
    own, _, skip = name.partition(" + ")
    shown = plain if own == "none" else f"{own} norm"
    return f"{shown} + {skip} skips" if skip else shown
