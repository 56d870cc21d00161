"""Writing a report: save every figure and its table, then fill the one page that answers the study's question."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from mlpjit.comparison.compare import Comparison
from mlpjit.comparison.tuning import Tuning
from mlpjit.display import cell
from mlpjit.errors import StoreError
from mlpjit.files import replacing
from mlpjit.report import certainty, style, verdict
from mlpjit.report.charts import colours
from mlpjit.report.drawing import Drawing, saving
from mlpjit.report.figures import figures
from mlpjit.report.figures.results import Results, Source
from mlpjit.report.importance import importance
from mlpjit.report.machines import data, facts, rerun, toml
from mlpjit.report.problems import MOST_PROBLEMS, Problems, problems
from mlpjit.report.screen import Screen, screen, section_picture, spoken
from mlpjit.report.section import Section, Shown
from mlpjit.report.tabled import Tabled, tabled
from mlpjit.report.topic import Topic
from mlpjit.report.tuned import budget, tuned
from mlpjit.report.within import within

TEMPLATES = Path(__file__).parent / "templates"
MOST_FAILURES = 50
OVERALL = "over problems"


def write(source: Source, directory: Path, pdf: bool = False) -> tuple[list[str], list[dict[str, Any]], dict[str, str]]:
    """Write all files; return their names relative to `directory`, the page first, the answer's rows and sentences."""
    results = Results.read(source)
    if results.tuning.empty:
        raise StoreError(f"{directory}: no run is stored here yet: `mlpjit run STUDY` makes some")
    for name in ("figures", "tables"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    files: list[str] = []
    parts = _parts(results, directory)
    drawings = [drawing for _, some in parts for drawing in some]
    for drawing in drawings:
        _save_table(drawing.table, directory, drawing.path.name, files)
        files += [f"figures/{file.name}" for file in drawing.files(pdf)]
    with saving(drawings, pdf):
        found = certainty.compared(results)
        sections = [_section(part, some, found, len(parts) <= MOST_PROBLEMS) for part, some in parts]
        first = screen(results, sections, found)
        many = problems(sections, spoken(results)[1])
        asked = _topics(results, [part for part, _ in parts], found)
        text = _page(results, sections, first, tabled(source), many, asked)
    for name, table in [*([("problems", many.table)] if many else []), *((one.name, one.table) for one in asked)]:
        _save_table(table, directory, name, files)
    rows = [row for section in sections for row in section.rows]
    _save_table(pd.DataFrame(rows), directory, "answer", files)
    with replacing(directory / "report.html") as partial:
        partial.write_text(text, encoding="utf-8")
    sentences = {section.results.section: section.sentence for section in sections}
    if first.signals is not None:
        sentences[""] = " ".join([*first.signals.sentences, sentences.get("", "")]).strip()
    return ["report.html", *files], [_plain(row) for row in rows], sentences | {OVERALL: certainty.overall(found)}


def _parts(results: Results, directory: Path) -> list[tuple[Results, list[Drawing]]]:
    """Return each problem with its figures; of many problems they would be a page that nobody reads."""
    found = list(results.sections())
    return [(part, _drawings(part, directory) if len(found) <= MOST_PROBLEMS else []) for part in found]


def _topics(results: Results, parts: Sequence[Results], found: Comparison | None) -> list[Topic]:
    """Return what the page answers beside who is best."""
    looks, keys = spoken(results)
    pairs = {name: (look, keys[name]) for name, look in looks.items()}
    tunings = _tunings(found, results)
    every = [
        tuned(tunings, pairs), importance(parts), within(parts, list(looks), pairs), budget(tunings, pairs),
    ]  # fmt: skip
    return [topic for topic in every if topic is not None]


def _section(part: Results, drawings: list[Drawing], found: Comparison | None, pictured: bool) -> Section:
    rows, pairs = verdict.rows(part), certainty.on_problem(found, part)
    picture = (
        section_picture(part, pairs, [verdict.name(row) for row in rows]) if drawings or not part.section else None
    )
    tunings = [each for each in _tunings(found, part) if part.section in ("", each.problem)] if pictured else []
    return Section(part, rows, [_shown(one) for one in drawings], pairs, picture, tunings)


def _tunings(found: Comparison | None, results: Results) -> list[Tuning]:
    """Return how those that the page shows were tuned."""
    return found.tunings if found is not None and found.reported.by == results.compared else []


def _drawings(results: Results, directory: Path) -> list[Drawing]:
    """Return the figures that one section has data for."""
    tables = [(record, record.data(results)) for record in figures()]
    return [
        Drawing(record, table, results, directory / "figures" / file_name(results, record.name))
        for record, table in tables
        if not table.empty
    ]


def _shown(drawing: Drawing) -> Shown:
    """Return a figure as the page shows it."""
    name = drawing.path.name
    return Shown(drawing.record, name, drawing.record.chart(name, drawing.table, drawing.results))


def _save_table(table: pd.DataFrame, directory: Path, name: str, files: list[str]) -> None:
    with replacing(directory / "tables" / f"{name}.csv") as partial:
        table.map(cell).to_csv(partial, index=False, lineterminator="\n")
    files.append(f"tables/{name}.csv")


def file_name(results: Results, name: str) -> str:
    """Return what a figure's files are called, less their suffixes: its name, after its problem's if it has one."""
    problem = re.sub(r"[^\w.-]+", "_", results.section)
    return f"{problem}-{name}" if problem else name


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON can hold it: a score that is not finite, because its median run was lost, is None."""
    values = {key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
    lost = {key: None for key, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
    return values | lost


def _page(
    results: Results,
    sections: list[Section],
    first: Screen,
    tables: Sequence[Tabled],
    many: Problems | None,
    asked: Sequence[Topic],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"rate": style.rate, "plain": _text}
    study, runs = results.study, results.runs
    light, dark = _colours(results)
    failed = runs[runs["state"].isin(["failed", "timed_out"])]
    return environment.get_template("report.html").render(
        title=study.get("title") or study.get("name") or "study",
        question=study.get("question", ""),
        sections=sections,
        answer=first,
        problems=many,
        topics=asked,
        tables=tables,
        light=light,
        dark=dark,
        states=runs["state"].value_counts().sort_index().to_dict(),
        count=len(runs),
        failures=failed.head(MOST_FAILURES).to_dict("records"),
        failed=len(failed),
        facts=facts(results),
        data=data(results),
        rerun=rerun(results),
        toml=toml(study),
        steps=int(runs["steps"].fillna(0).sum()),
    )


def _colours(results: Results) -> tuple[str, str]:
    """Return the style rules of all classes that have a colour, on white and on dark."""
    parts = [colours.rules(results.looks, "k"), colours.muted_rules(), colours.ramp_rules()]
    return "".join(light for light, _ in parts), "".join(dark for _, dark in parts)


def _text(value: Any) -> str:
    """Any value of a cell, numbers short, missing ones a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
