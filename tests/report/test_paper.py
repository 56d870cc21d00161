"""Figures for papers: as wide as asked, with data and caption beside them."""

from __future__ import annotations

from contextvars import copy_context
from pathlib import Path

import pandas as pd
import pytest
from conftest import STUDIES, SyntheticStore
from PIL import Image

from mlpjit.errors import ConfigError
from mlpjit.report import paper
from mlpjit.report.drawing import DOTS_PER_INCH, Drawing
from mlpjit.report.figures import figures
from mlpjit.report.figures.results import Results


@pytest.fixture(params=["quick", "two_datasets"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    opened(monkeypatch, STUDIES[request.param]())
    return tmp_path


def opened(monkeypatch: pytest.MonkeyPatch, store: SyntheticStore) -> None:
    """Whatever folder is opened holds the synthetic store."""

    class Opened:
        def __enter__(self) -> SyntheticStore:
            return store

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr("mlpjit.store.Store.open", lambda directory, readonly: Opened())


def test_data_and_caption_stand_beside_the_figure(folder: Path) -> None:
    paths = paper.write_figure(folder, "rate_curves", "84mm", "png", ["adam"], 7)
    images, tables, words = paths[::3], paths[1::3], paths[2::3]
    assert len(images) == (2 if "digits-rate_curves.png" in {path.name for path in images} else 1)
    for image, table, text in zip(images, tables, words, strict=True):
        with Image.open(image) as opened:
            assert opened.width == pytest.approx(84 / 25.4 * 2 * DOTS_PER_INCH, abs=2)
        assert set(pd.read_csv(table)["label"]) == {"adam"}
        told = text.read_text()
        assert "n = 2 runs each." in told
        assert "quartiles" in told
        assert "no test" in told


def test_who_is_left_out_changes_no_colour(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    record = next(record for record in figures() if record.name == "rate_curves")
    draw = record.draw
    monkeypatch.setitem(vars(record), "draw", lambda table, results: seen.append(results.looks) or draw(table, results))
    paper.write_figure(folder, "rate_curves", format="svg")
    paper.write_figure(folder, "rate_curves", format="svg", only=["adam"])
    assert all(looks == seen[0] for looks in seen)


@pytest.mark.parametrize("record", figures(), ids=lambda record: record.name)
def test_every_figure_fits_a_column(record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, STUDIES["pathologies" if "by_depth" in record.name or "ward" in record.name else "quick"]())
    if record.name == "rescue":
        opened(monkeypatch, STUDIES["pathologies"]())
    image, *_ = paper.write_figure(tmp_path, record.name)
    assert image.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("width", [2.2, 3.3, 7.0])
@pytest.mark.parametrize("font_size", [6.0, 8.0, 12.0])
def test_numbers_above_the_scale_lie_over_no_mark(width: float, font_size: float, tmp_path: Path) -> None:
    results = Results.read(STUDIES["quick"]())
    record = next(record for record in figures() if record.name == "rate_curves")
    table = record.data(results)
    table["diverged_share"] = 0.25
    table.loc[table["learning_rate"] >= table["learning_rate"].median(), "median"] = 1e6
    drawn = copy_context().run(paper._drawn, Drawing(record, table, results, tmp_path), width, font_size)
    drawn.canvas.draw()
    for panel in drawn.axes:
        top = min(text.get_window_extent().y0 for text in panel.texts)
        marks = [line for line in panel.lines if line.get_marker() == "^" and line.get_fillstyle() == "none"]
        place = max(panel.transData.transform((1.0, y))[1] for line in marks for y in line.get_ydata())
        assert place + marks[0].get_markersize() / 2 * drawn.dpi / 72 < top


@pytest.mark.parametrize(
    ("options", "line"),
    [({"name": "rate_curve"}, "unknown figure 'rate_curve': did you mean 'rate_curves'?"),
     ({"name": "rescue"}, "figure 'rescue': this study has no data for it"),
     ({"format": "pfd"}, "unknown format 'pfd': did you mean 'pdf'?"),
     ({"only": ["adm"]}, "unknown optimizer 'adm': did you mean 'adam'?"),
     ({"width": "wide"}, "width: got 'wide', need 1 to 40 inches"),
     ({"width": "0.1in"}, "width: got '0.1in', need 1 to 40 inches"),
     ({"font_size": 1}, "font size: got 1, need 4 to 24 points")],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said(folder: Path, options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError, match=line.replace("?", r"\?")):
        paper.write_figure(folder, **{"name": "rate_curves", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "inches"), [("3.3in", 3.3), ("3.3", 3.3), ("8.4cm", 8.4 / 2.54), ("240pt", 3.3209)])
def test_widths_have_units(text: str, inches: float) -> None:
    assert paper.parsed_width(text) == pytest.approx(inches, abs=1e-4)
