"""Plain text tables and numbers as people read them."""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[int] = ()) -> str:
    """Return rows aligned in columns; those in `right` to the right, the last one never padded."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    sides = [str.rjust if i in set(right) else str.ljust for i in range(len(header))]
    text = ["  ".join(side(c, w) for side, c, w in zip(sides, line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([text[0], "  ".join("-" * width for width in widths), *text[1:]])


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is, None where it is a file or a pipe: nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(header: Sequence[str], rows: Iterable[Sequence[Any]], right: Iterable[int] = ()) -> str:
    """Return a table as wide as the terminal: a last column that would not begin there is left out, else its texts are
    cut; elsewhere nothing is cut.
    """
    rows = [list(row) for row in rows]
    text, width = table(header, rows, right), terminal_width()
    if width is None:
        return text
    heads, rule, *lines = text.splitlines()
    if len(header) > 2 and rule.rindex(" ") >= width:
        return fitted(header[:-1], [row[:-1] for row in rows], right)
    cut = [line if len(line) <= width else line[: width - 3].rstrip() + "..." for line in lines]
    return "\n".join([heads[:width].rstrip(), rule[:width], *cut])


def broken(text: str) -> str:
    """Return a text whose lines are broken where a terminal would break them inside words."""
    width = max(40, terminal_width() or 120)
    return "\n".join(textwrap.fill(line, width, subsequent_indent=line[: len(line) - len(line.lstrip())])
                     for line in text.splitlines())  # fmt: skip


def wrapped(name: str, text: str, indent: int = 20) -> str:
    """Return a text beside its name, broken to the terminal's width (80 columns elsewhere)."""
    width = max(40, min(terminal_width() or 80, 120))
    lines = textwrap.wrap(text, width - indent, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(f"{name if line == 0 else '':<{indent}}{part}" for line, part in enumerate(lines))


def seconds(value: float | None) -> str:
    """Return a duration: 23 ms, 45 s, 3 min 20 s, 2 h 5 min, 12 days."""
    if value is None or not math.isfinite(value):
        return "?"
    if 0 < value < 0.1:
        return f"{value * 1e3:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole < 72 * 3600 else f"{whole / 86400:,.0f} days"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: 1 run, 1,920 runs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(value: float, sign: str = "") -> str:
    """Return an effect or a limit with two decimals, of small ones one digit, of large ones none."""
    if not math.isfinite(value):
        return f"{value:{sign}}"
    digits = 2 if abs(value) < 100 else 0
    tiny = abs(value) < 1e-9  # the end of an interval that a search stopped beside 0
    return f"{value:{sign}.{digits}f}" if abs(value) >= 0.01 or tiny else f"{value:{sign}.1g}"


def p_value(value: float) -> str:
    """Return a p with three decimals: .035, <.001, 1."""
    return "1" if value > 0.9995 else "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def parameters(values: dict[str, Any]) -> str:
    """Return parameters as `b1=0.9 b2=0.999`."""
    return " ".join(f"{name}={value}" for name, value in values.items()) or "-"


def dump(value: Any) -> str:
    """Return JSON; infinities and NaN, which JSON lacks, as null."""
    return json.dumps(_finite(value), indent=2, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
