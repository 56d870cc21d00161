"""Objects as people see them: a few lines of text, and a small table in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

Rows = Sequence[tuple[str, Any]]
FORMULA = tuple("=+-@\t\r")  # what a spreadsheet computes begins with one of these
CELL = "text-align:left;padding:0.1em 0.8em"


def cell(value: Any) -> Any:
    """Return what stands in a file of cells: a text that a spreadsheet would compute has an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.lstrip("'").startswith(FORMULA) else value


def uncell(text: str) -> str:
    """Return the text that `cell` made this of."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def number(value: Any) -> str:
    """Return a value in few digits."""
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def varying_first(frame: Any, ahead: Sequence[str] = ()) -> Any:
    """Return a frame with the columns `ahead` in front, then those that hold more than one value, then the others."""
    rest = [name for name in frame if name not in ahead]
    varying = [name for name in rest if frame[name].nunique(dropna=False) > 1]
    return frame[[*ahead, *varying, *(name for name in rest if name not in varying)]]


def lines(title: str, rows: Rows) -> str:
    """Return a title and a line for each row."""
    return "\n".join([title, *(f"  {name}: {number(value)}" for name, value in rows)])


def pairs(title: str, rows: Rows) -> str:
    """Return the same as a table of two columns in HTML, every text escaped."""
    return table(title, (), rows)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in HTML, every text escaped."""
    made = [_row("th", head)] if head else []
    made += [_row("td", row) for row in rows]
    caption = f'<caption style="{CELL}"><b>{escape(title)}</b></caption>'
    return f"<table>{caption}{''.join(made)}</table>"


def _row(tag: str, cells: Sequence[Any]) -> str:
    inside = "".join(f'<{tag} style="{CELL}">{escape(number(cell))}</{tag}>' for cell in cells)
    return f"<tr>{inside}</tr>"
