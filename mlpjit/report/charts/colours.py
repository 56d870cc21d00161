"""Colours of the page: a class for each competitor and for each step of a ramp, in light and in dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpjit.report import style

RAMP = 10  # steps from the first to the last of ordered lines
ON_DARK = {
    style.BLACK: "#e8e8e8", style.BLUE: "#4da6e0", style.GREEN: "#2bbd92", style.VERMILLION: "#f0803c",
    style.PURPLE: "#dd93bb",
    "#332288": "#9d8df1", "#117733": "#5cb877", "#882255": "#d0719f", "#44AA99": "#5cc4b3", "#999933": "#bdbd5c",
    "#AA4499": "#cc79bd", "#CC6677": "#dd8592",
}  # fmt: skip


def keys(looks: Mapping[Any, style.Look], letter: str) -> dict[Any, str]:
    """Return the class of each label: k0, k1, ... in their order."""
    return {label: f"{letter}{at}" for at, label in enumerate(looks)}


def rules(looks: Mapping[Any, style.Look], letter: str) -> tuple[str, str]:
    """Return the style rules of these classes, on white and on dark."""
    named = list(zip(keys(looks, letter).values(), (look.colour for look in looks.values()), strict=True))
    light = "".join(f".{key}{{--c:{colour}}}" for key, colour in named)
    dark = "".join(f".{key}{{--c:{ON_DARK[colour]}}}" for key, colour in named if colour in ON_DARK)
    return light, dark


def muted_rules() -> tuple[str, str]:
    """Return the rules of m0, m1, ...: lines that are no competitors."""
    return rules({at: style.Look(colour, "o", "-") for at, colour in enumerate(style.MUTED)}, "m")


def muted_keys(looks: Mapping[Any, style.Look]) -> dict[Any, str]:
    """Return the class of each label of lines that are no competitors."""
    return {label: f"m{style.MUTED.index(look.colour)}" for label, look in looks.items()}


def ramp_rules() -> tuple[str, str]:
    """Return the rules of a ramp's steps r0 to r9, each with the ink that is read on it: --t."""
    shades = [at / (RAMP - 1) for at in range(RAMP)]
    light = "".join(_step(at, style.SEQUENTIAL, 0.15 + 0.85 * share) for at, share in enumerate(shades))
    dark = "".join(_step(at, "viridis", 0.95 - 0.6 * share) for at, share in enumerate(shades))
    return light, dark


def _step(at: int, name: str, share: float) -> str:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    red, green, blue, _ = colormaps[name](share)
    ink = "#111111" if luminance(red, green, blue) > 0.18 else "#ffffff"
    return f".r{at}{{--c:{to_hex((red, green, blue))};--t:{ink}}}"


def luminance(red: float, green: float, blue: float) -> float:
    """Return the relative luminance of a colour, as contrast is reckoned (WCAG 2)."""
    shares = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * shares[0] + 0.7152 * shares[1] + 0.0722 * shares[2]


def ramp_key(position: int, count: int) -> str:
    """Return the class of one of `count` ordered lines."""
    return f"r{round(position * (RAMP - 1) / max(count - 1, 1))}"
