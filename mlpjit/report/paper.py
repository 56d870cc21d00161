"""One figure for a paper: as wide as its column, in its size of text, with its data and its caption beside it."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpjit.errors import ConfigError, StoreError, writing
from mlpjit.files import replacing
from mlpjit.registry import suggestion

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mlpjit.report.drawing import Drawing
    from mlpjit.report.figures.results import Results

FORMATS = ("pdf", "svg", "png")
FOLDER = "paper"
INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}


def write_figure(
    directory: Path,
    name: str,
    width: str = "3.3in",
    format: str = "pdf",
    only: Sequence[str] = (),
    font_size: float = 8.0,
) -> list[Path]:
    """Write a figure, its data (CSV) and its caption (text) to `directory`/paper, once for each problem.

    `width` is in inches, or says its unit (in, cm, mm, pt). `only` are the competitors to be drawn; their colours stay.
    Raises ConfigError for what is unknown and where the study has no such data.
    """
    from mlpjit.store import Store

    inches = parsed_width(width)
    if format not in FORMATS:
        raise ConfigError(f"unknown format {format!r}{suggestion(format, FORMATS)}")
    if not 4 <= font_size <= 24:
        raise ConfigError(f"font size: got {font_size:g}, need 4 to 24 points")
    with Store.open(directory, readonly=True) as store, writing(directory):
        drawings = _drawings(store, directory, name, only)
        (directory / FOLDER).mkdir(exist_ok=True)
        return [path for one in drawings for path in _save(one, inches, font_size, format)]


def parsed_width(text: str) -> float:
    """Return a width in inches: 3.3, 3.3in, 84mm, 240pt. Raises ConfigError for another."""
    number, unit = text.strip(), "in"
    for name in INCHES:
        if number.endswith(name):
            number, unit = number.removesuffix(name), name
    try:
        inches = float(number) * INCHES[unit]
    except ValueError:
        inches = 0.0
    if not 1 <= inches <= 40:
        raise ConfigError(f"width: got {text!r}, need 1 to 40 inches, as 3.3in or 84mm")
    return inches


def figures_of(
    directory: Path, name: str, width: str = "3.3in", only: Sequence[str] = (), font_size: float = 8.0
) -> dict[str, Figure]:
    """Return a figure by the problem that it shows, drawn as `write_figure` does; "" where there is one problem."""
    from mlpjit.store import Store

    inches = parsed_width(width)
    with Store.open(directory, readonly=True) as store:
        return {
            one.results.section: copy_context().run(_drawn, one, inches, font_size)
            for one in _drawings(store, directory, name, only)
        }


def _drawings(store: Any, directory: Path, name: str, only: Sequence[str]) -> list[Drawing]:
    from mlpjit.report.drawing import Drawing
    from mlpjit.report.figures import figures
    from mlpjit.report.figures.results import Results
    from mlpjit.report.page import file_name

    records = {record.name: record for record in figures()}
    if name not in records:
        raise ConfigError(f"unknown figure {name!r}{suggestion(name, records)}")
    results = Results.read(store)
    if results.tuning.empty:
        raise StoreError(f"{directory}: no run is stored here yet: `mlpjit run STUDY` makes some")
    parts = [part.only(_chosen(results, only)) for part in results.sections()]
    found = [
        Drawing(records[name], records[name].data(part), part, directory / FOLDER / file_name(part, name))
        for part in parts
    ]
    found = [one for one in found if not one.table.empty]
    if not found:
        raise ConfigError(f"figure {name!r}: this study has no data for it")
    return found


def _chosen(results: Results, only: Sequence[str]) -> list[Any]:
    """Return the competitors that are named; all where none is."""
    spoken = {str(label): label for label in results.labels}
    for name in only:
        if name not in spoken:
            raise ConfigError(f"unknown {results.label} {name!r}{suggestion(name, spoken)}")
    return [spoken[name] for name in only] or results.labels


def _save(drawing: Drawing, width: float, font_size: float, format: str) -> list[Path]:
    """Draw on paper of that width and write the three files."""
    image, table, words = (drawing.path.with_name(f"{drawing.path.name}.{end}") for end in (format, "csv", "txt"))
    copy_context().run(_draw, drawing, image, width, font_size, format)
    with replacing(table) as partial:
        drawing.table.to_csv(partial, index=False, lineterminator="\n")
    with replacing(words) as partial:
        partial.write_text(caption(drawing) + "\n", encoding="utf-8")
    return [image, table, words]


def _draw(drawing: Drawing, path: Path, width: float, font_size: float, format: str) -> None:
    from mlpjit.report.drawing import DOTS_PER_INCH, METADATA

    drawn = _drawn(drawing, width, font_size)
    with mpl_context(font_size), replacing(path) as partial:
        drawn.savefig(partial, format=format, dpi=2 * DOTS_PER_INCH, metadata=METADATA[format])


def _drawn(drawing: Drawing, width: float, font_size: float) -> Figure:
    """Return the figure on paper of that width; for a context of its own."""
    from mlpjit.report.figures import layout

    layout.paper.set(layout.Paper(width, font_size, titled=False))
    with mpl_context(font_size):
        figure: Figure = drawing.record.draw(drawing.table, drawing.results)
        return figure


def mpl_context(font_size: float) -> Any:
    """Return matplotlib's settings for paper with text of a size, as a context."""
    import matplotlib as mpl

    from mlpjit.report import style
    from mlpjit.report.figures import layout

    sizes = [
        key for key in style.RC if key == "font.size" or key.endswith(("titlesize", "labelsize", "legend.fontsize"))
    ]
    sized = {key: style.RC[key] * font_size / layout.SIZE for key in sizes}
    return mpl.rc_context({**style.RC, **sized, "svg.fonttype": "none", "pdf.fonttype": 42})


def caption(drawing: Drawing) -> str:
    """Return the figure's caption: its question, how it is read, n, the interval and the test."""
    table, record = drawing.table, drawing.record
    where = f" ({drawing.results.section})" if drawing.results.section else ""
    parts = [f"{record.title}{where}", record.caption, _count(table), _interval(table)]
    return " ".join(part for part in parts if part)


def _count(table: pd.DataFrame) -> str:
    if "runs" not in table:
        return ""
    least, most = int(table["runs"].min()), int(table["runs"].max())
    return f"n = {least} runs each." if least == most else f"n = {least} to {most} runs each."


def _interval(table: pd.DataFrame) -> str:
    if {"low", "high"} <= set(table):
        return "Intervals are quartiles over these runs; no test is made here (`mlpjit compare` has them)."
    return "No interval is drawn and no test is made here (`mlpjit compare` has them)."
