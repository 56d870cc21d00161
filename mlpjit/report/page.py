"""Writing a report: draw and save every figure, then fill the one page that shows them."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from mlpjit.errors import StoreError
from mlpjit.report import certainty, verdict
from mlpjit.report.drawing import Drawing, saving
from mlpjit.report.figures import figures, style
from mlpjit.report.figures.results import Results, Source
from mlpjit.report.machines import facts, rerun, toml
from mlpjit.report.section import Section, Shown

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
    parts = [(part, _drawings(part, directory)) for part in results.sections()]
    drawings = [drawing for _, some in parts for drawing in some]
    for drawing in drawings:
        _save_table(drawing.table, directory, drawing.path.name, files)
        files += [f"figures/{file.name}" for file in drawing.files(pdf)]
    with saving(drawings, pdf) as widths:
        pairs = certainty.compared(results)
    width = iter(widths)
    sections = [
        Section(part, verdict.rows(part), [_shown(one, next(width)) for one in some], certainty.on_problem(pairs, part))
        for part, some in parts
    ]
    rows = [row for section in sections for row in section.rows]
    _save_table(pd.DataFrame(rows), directory, "answer", files)
    overall = certainty.overall(pairs)
    text = _page(results, sections, overall)
    temporary = directory / ".report.html"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(directory / "report.html")
    sentences = {section.results.section: section.sentence for section in sections} | {OVERALL: overall}
    return ["report.html", *files], [_plain(row) for row in rows], sentences


def _drawings(results: Results, directory: Path) -> list[Drawing]:
    """Return the figures that one section has data for."""
    tables = [(record, record.data(results)) for record in figures()]
    before = f"{_file_name(results.section)}-" if results.section else ""
    return [
        Drawing(record, table, results, directory / "figures" / f"{before}{record.name}")
        for record, table in tables
        if not table.empty
    ]


def _shown(drawing: Drawing, width: float) -> Shown:
    """Return a saved drawing as the page shows it."""
    uri = _data_uri(drawing.files(pdf=False)[0])
    return Shown(drawing.record, drawing.path.name, uri, round(width * 96))


def _save_table(table: pd.DataFrame, directory: Path, name: str, files: list[str]) -> None:
    table.to_csv(directory / "tables" / f"{name}.csv", index=False, lineterminator="\n")
    files.append(f"tables/{name}.csv")


def _data_uri(svg: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")


def _file_name(section: str) -> str:
    return re.sub(r"[^\w.-]+", "_", section)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """The row as JSON can hold it: a score that is not finite, because its median run was lost, is None."""
    values = {key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
    lost = {key: None for key, value in values.items() if isinstance(value, float) and not math.isfinite(value)}
    return values | lost


def _page(results: Results, sections: list[Section], overall: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"rate": style.rate, "plain": _text}
    study, runs = results.study, results.runs
    failed = runs[runs["state"].isin(["failed", "timed_out"])]
    return environment.get_template("report.html").render(
        title=study.get("title") or study.get("name") or "study",
        question=study.get("question", ""),
        sections=sections,
        overall=overall,
        states=runs["state"].value_counts().sort_index().to_dict(),
        count=len(runs),
        failures=failed.head(MOST_FAILURES).to_dict("records"),
        failed=len(failed),
        facts=facts(results),
        rerun=rerun(results),
        toml=toml(study),
        steps=int(runs["steps"].fillna(0).sum()),
    )


def _text(value: Any) -> str:
    """Any value of a cell, numbers short, missing ones a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
