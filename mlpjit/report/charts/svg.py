"""SVG as text: elements, marks, and a chart with its title and description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mlpjit.report import style

LARGEST = 1.15  # pixels of a unit at most, where there is room for more: text is of one size in all charts
CHARACTER = 6.4  # units that a character of the charts' 11-unit text takes, on the wide side
HIGH = 4.0  # half of a marker's size
# Each marker as a path relative to its centre; matplotlib's names, so that page and files agree.
MARKERS = {
    "o": "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
    "s": "m-3.5,-3.5h7v7h-7z",
    "^": "m0,-4.5l4.3,8h-8.6z",
    "v": "m0,4.5l4.3,-8h-8.6z",
    "<": "m-4.5,0l8,-4.3v8.6z",
    ">": "m4.5,0l-8,-4.3v8.6z",
    "D": "m0,-5l4.2,5l-4.2,5l-4.2,-5z",
    "P": "m-1.5,-4.3h3v2.8h2.8v3h-2.8v2.8h-3v-2.8h-2.8v-3h2.8z",
    "X": "m-4,-2.2l1.8,-1.8l2.2,2.2l2.2,-2.2l1.8,1.8l-2.2,2.2l2.2,2.2l-1.8,1.8l-2.2,-2.2l-2.2,2.2l-1.8,-1.8l2.2,-2.2z",
    "x": "m-4,-4l8,8m0,-8l-8,8",
    "*": "m0,-7l1.9,4.6l5,.4l-3.8,3.2l1.2,4.8l-4.3,-2.6l-4.3,2.6l1.2,-4.8l-3.8,-3.2l5,-.4z",
}


def element(tag: str, body: str = "", **attributes: Any) -> str:
    """Return an element; numbers to a tenth, `class_` for class, `stroke_width` for stroke-width, None left out."""
    told = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{tag}{told}>{body}</{tag}>" if body else f"<{tag}{told}/>"


def text(x: float, y: float, words: Any, **attributes: Any) -> str:
    """Return words that begin at a place; `anchor` middle or end places them otherwise."""
    if attributes.get("anchor"):
        attributes["text_anchor"] = attributes["anchor"]
    attributes.pop("anchor", None)
    return element("text", escape(str(words), quote=False), x=x, y=y, **attributes)


def heading(words: str, room: float) -> str:
    """Return a panel's name at its upper left, smaller where it would not fit."""
    size = min(12.0, 12.0 * (room - 4) / max(width([words], 13), 1.0))
    return text(2.0, 13.0, words, class_="name", style=None if size == 12 else f"font-size:{number(size)}px")


def mark(x: float, y: float, marker: str, words: str = "", class_: str = "") -> str:
    """Return a marker; `words` are told where it is pointed at."""
    title = element("title", escape(words, quote=False)) if words else ""
    crossed = "mark x" if marker == "x" else "mark"
    return element("path", title, class_=f"{crossed} {class_}".strip(), d=f"M{number(x)},{number(y)}{MARKERS[marker]}")


def path(points: Iterable[tuple[float, float]], **attributes: Any) -> str:
    """Return a line through points; empty for fewer than two."""
    places = [f"{number(x)},{number(y)}" for x, y in points]
    return element("path", d="M" + "L".join(places), **attributes) if len(places) > 1 else ""


def dashes(look: style.Look) -> str | None:
    """Return a look's line style as SVG has it, for a line 1.7 wide; None for a solid one."""
    return None if isinstance(look.dashes, str) else ",".join(number(1.7 * length) for length in look.dashes[1])


def chart(name: str, size: tuple[float, float], parts: Sequence[str], title: str, description: str) -> str:
    """Return a whole chart; title and description are its text for those who cannot see it."""
    width, height = number(size[0]), number(size[1])
    told = element("title", escape(title, quote=False), id=f"{name}-t")
    told += element("desc", escape(description, quote=False), id=f"{name}-d")
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{number(LARGEST * size[0])}px" role="img" '
        f'aria-labelledby="{name}-t" aria-describedby="{name}-d">'
        f"{told}{''.join(parts)}</svg>"
    )


def identifier(*words: Any) -> str:
    """Return words as an id that a page may hold."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(map(str, words))).strip("-").lower()


def number(value: float) -> str:
    """Return a coordinate to a tenth of a unit, as short as can be."""
    shown = f"{value:.1f}"
    return "0" if shown in ("-0.0", "0.0") else shown.removesuffix(".0")


def width(words: Iterable[Any], size: float = 11.0) -> float:
    """Return the units that the longest of these texts takes."""
    return max((len(str(word)) for word in words), default=0) * CHARACTER * size / 11


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: Any) -> str:
    return number(value) if isinstance(value, float) else escape(str(value))
