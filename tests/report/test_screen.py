"""Pictures of pairs and answers about signals, worked by hand."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import STUDIES, make_run, store_of

from mlpjit.report import certainty, page, pairs, signals
from mlpjit.report.charts import scales, svg
from mlpjit.report.figures import gradient_by_depth
from mlpjit.report.figures.results import Results
from mlpjit.report.screen import section_picture


def picture(scores: dict[str, list[float]]) -> pairs.Picture:
    """Ten final runs of each, on equal seeds."""
    runs = [
        make_run("final", optimizer=name, learning_rate=0.1, seed=100 + seed) | {"test_score": score, "state": "done"}
        for name, some in scores.items()
        for seed, score in enumerate(some)
    ]
    runs += [make_run("tune", optimizer=name, learning_rate=0.1) for name in scores]
    results = Results.read(store_of("tiny", runs, final={"per": "optimizer", "seeds": list(range(100, 110))}))
    found = section_picture(results, certainty.on_problem(certainty.compared(results), results), list(scores))
    assert found is not None
    return found


BASE = [0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87, 0.88, 0.89]
SCORES = {"adam": BASE, "sgd": [x - 0.1 for x in BASE], "momentum": [x + 0.01 * (-1) ** i for i, x in enumerate(BASE)]}


def test_the_matrix_is_turned_about_its_diagonal() -> None:
    found = picture(SCORES)
    assert found.names == ["adam", "sgd", "momentum"]
    shown = [[cell.shown.replace("\N{NO-BREAK SPACE}", " ") if cell else "" for cell in row] for row in found.cells]
    assert shown[0] == ["", "▲ +10.0", "0"]
    assert shown[1][0] == "▼ \N{MINUS SIGN}10.0"
    assert [row[at] for at, row in enumerate(found.cells)] == [None] * 3


def test_the_plot_tells_each_pair_and_marks_what_is_certain() -> None:
    found = picture(SCORES)
    assert found.control == "adam"
    assert found.finding == "Of 2 compared with adam, 1 is worse, of 1 nothing is known."
    assert "sgd against adam: \N{MINUS SIGN}10.0 points, 95 % interval" in found.plot
    assert len(re.findall(r'class="mark open"', found.plot)) == 1
    assert len(re.findall(r'class="mark"', found.plot)) == 1


def test_colours_are_those_of_the_whole_study() -> None:
    parts = list(Results.read(STUDIES["two_datasets"]()).sections())
    assert len(parts) == 2
    assert parts[0].looks == parts[1].looks
    kinds = parts[0].looks_of("activation", ["relu", "tanh"])
    assert not {look.colour for look in kinds.values()} & {look.colour for look in parts[0].looks.values()}


def test_a_study_about_signals_is_answered_by_its_gradients() -> None:
    found = signals.signals(Results.read(STUDIES["pathologies"]()))
    assert found is not None
    assert found.depths == (2, 32)
    assert found.sentences[0] == gradient_by_depth.finding(
        gradient_by_depth.data(Results.read(STUDIES["pathologies"]()))
    )
    # Of the made-up records a layer keeps 0.3 of the gradient with sigmoid, 0.9 with tanh, and all or more otherwise,
    # times 0.9 with xavier_normal and 0.4 with normal: 30 layers more.
    cells = {name: dict(zip(found.columns, row, strict=True)) for name, row in found.rows}
    assert cells["tanh"]["he_normal"] == ("▼\N{NO-BREAK SPACE}0.042", "faded")
    assert cells["relu"]["he_normal"] == ("1", "kept")
    assert cells["relu"]["xavier_normal"] == ("▼\N{NO-BREAK SPACE}0.042", "faded")
    assert cells["relu"]["xavier_normal + batch norm"] == ("0.73", "kept")


def test_what_is_known_over_problems_is_the_first_screen(tmp_path: Path) -> None:
    names = ["digits", "wine", "iris", "breast_cancer", "two_moons", "circles", "spirals"]
    rng = np.random.default_rng(5)
    runs = [
        make_run(stage, dataset=problem, optimizer=optimizer, learning_rate=0.1, seed=seed)
        | {"state": "done", "test_score": 0.8 + 0.1 * (optimizer == "adam") + 0.01 * rng.normal()}
        for problem in names
        for optimizer in ("sgd", "adam")
        for stage, seeds in (("tune", (0, 1)), ("final", range(100, 105)))
        for seed in seeds
    ]
    page.write(store_of("many", runs, final={"per": "optimizer", "seeds": list(range(100, 105))}), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    first = text[: text.index("<nav")]
    assert '<p class="answer">Over 7 problems, in seed SDs of the pair:' in first
    assert "adam is better than sgd" in first
    assert first.count('<p class="answer') == 1
    assert first.count("<svg viewBox") == 1
    assert "Which optimizer is best on" not in text
    assert list((tmp_path / "figures").iterdir()) == []
    assert re.search(
        r'<section id="problems">\n.*\n<p class="finding">Of 7 problems, most often best: adam \(7\)\.', text
    )
    rows = re.findall(r'<tr><th scope="row">.*</span>(\w+)</th>(<td class="r\d" title=".*">.*</td>)</tr>', text)
    assert [(name, cells.count("<td")) for name, cells in rows] == [("adam", 7), ("sgd", 7)]
    assert all(f'<tr><th scope="row">{name}</th><td>adam</td>' in text for name in names)
    assert "85 test samples; one is 1.2 points" in text  # of breast_cancer


@pytest.mark.parametrize("name", ["quick", "crowd", "regression", "lone", "hopeless"])
def test_other_studies_are_not_about_signals(name: str) -> None:
    assert signals.signals(Results.read(STUDIES[name]())) is None


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-6.9, 0.4), (1e-9, 3e-9), (0.0, 4890.0)])
def test_round_ticks_are_few_and_inside(low: float, high: float) -> None:
    ticks = scales.round_ticks(low, high, 6)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-9 * (high - low) <= tick <= high * (1 + 1e-9) for tick in ticks)
    assert np.ptp(np.diff(ticks)) < 1e-9 * (high - low)


def test_what_lies_beyond_a_scale_stands_at_its_end() -> None:
    scale = scales.logarithmic(0.01, 100)
    assert [scale.place(value, 10, 50) for value in (0.001, 0.01, 1, 100, np.inf)] == [10, 10, 30, 50, 50]


def test_words_in_a_chart_are_escaped() -> None:
    chart = svg.chart("a", (1, 1), [svg.text(0, 0, "<b>&"), svg.mark(0, 0, "o", "a < b")], "t < u", "d & e")
    assert "<b>" not in chart
    assert "&lt;b&gt;&amp;" in chart
    assert "t &lt; u" in chart
