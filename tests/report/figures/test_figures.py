"""Every registered figure, drawn from every synthetic study: no warning, nothing cut off, nothing overlapping."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest
from conftest import make_run, store_of, timing
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mlpjit.report import style
from mlpjit.report.figures import FigureRecord, figures, rate_curves
from mlpjit.report.figures.results import Results

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="session")
def parts(store: Any) -> list[Results]:
    return list(Results.read(store).sections())


def drawn(record: FigureRecord, results: Results) -> Figure | None:
    table = record.data(results)
    return None if table.empty else record.draw(table, results)


@pytest.mark.parametrize("record", figures(), ids=lambda record: record.name)
def test_draws_without_a_warning_and_keeps_every_text_in_its_place(record: FigureRecord, parts: list[Results]) -> None:
    for results in parts:
        with mpl.rc_context(style.RC):
            figure = drawn(record, results)
            if figure is not None:
                figure.draw_without_rendering()
                check_texts(figure)


def check_texts(figure: Figure) -> None:
    """Every text lies on the figure, and no two of them touch (numbers inside panels excepted)."""
    page = figure.bbox.padded(1)
    boxes = [(text.get_text(), box) for text, box in texts(figure)]
    outside = [text for text, box in boxes if not (page.contains(*box.min) and page.contains(*box.max))]
    assert outside == []
    pairs = itertools.combinations(boxes, 2)
    assert [(a, b) for (a, one), (b, two) in pairs if overlap(one, two)] == []


def overlap(one: Bbox, two: Bbox, slack: float = 1.0) -> bool:
    across = min(one.x1, two.x1) - max(one.x0, two.x0)
    up = min(one.y1, two.y1) - max(one.y0, two.y0)
    return across > slack and up > slack


def texts(figure: Figure) -> Iterator[tuple[Text, Bbox]]:
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for panel in figure.axes:
        if panel.get_visible():
            found += panel_texts(panel)
    return ((text, text.get_window_extent()) for text in found if text.get_visible() and text.get_text())


def panel_texts(panel: Axes) -> list[Text]:
    labels = [panel.title, panel._left_title, panel.xaxis.label, panel.yaxis.label]  # type: ignore[attr-defined]
    return labels + [text for axis in (panel.xaxis, panel.yaxis) for text in tick_texts(axis)]


def tick_texts(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    shown = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in shown for label in (tick.label1, tick.label2)]


@pytest.mark.parametrize("rates", [4, 9, 40])
def test_percentages_on_top_do_not_touch(rates: int) -> None:
    """Four optimizers side by side: narrow panels, and more of a decade in each the more rates there are."""
    grid = [10 ** (-4 + 4 * k / rates) for k in range(rates)]
    runs = [
        make_run("tune", optimizer=name, learning_rate=rate, seed=seed) | {"state": "diverged" if seed else "done"}
        for name, rate, seed in itertools.product(("sgd", "adam", "momentum", "rmsprop"), grid, range(4))
    ]
    with mpl.rc_context(style.RC):
        results = Results.read(store_of("tight", runs))
        figure = rate_curves.draw(rate_curves.data(results), results)
        figure.draw_without_rendering()
        for panel in figure.axes:
            boxes = [text.get_window_extent() for text in panel.texts]
            assert 4 <= len(boxes) <= rates
            assert not any(overlap(one, two, 0.0) for one, two in itertools.combinations(boxes, 2))


def test_each_figure_is_drawn_from_some_study(studies: dict[str, Any]) -> None:
    seen = set()
    for make in studies.values():
        results = next(Results.read(make()).sections())
        seen |= {record.name for record in figures() if not record.data(results).empty}
    assert seen == {record.name for record in figures()}


@pytest.mark.parametrize("record", figures(), ids=lambda record: record.name)
def test_record_asks_a_question_and_explains_itself(record: FigureRecord) -> None:
    assert record.title.endswith("?")
    assert record.caption.endswith(".")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_same_results_give_the_same_bytes(quick_store: Any, suffix: str) -> None:
    results = Results.read(quick_store)
    images = []
    for _ in range(2):
        with mpl.rc_context(style.RC):
            figure = drawn(next(record for record in figures() if record.name == "rate_curves"), results)
            assert figure is not None
            image = io.BytesIO()
            figure.savefig(image, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
            images.append(image.getvalue())
    assert images[0] == images[1]


def test_titles_of_many_panels_do_not_touch() -> None:
    """Long names, as the whole catalogue side by side has them."""
    grid = itertools.product(["gelu_tanh", "relu_squared", *(f"a_long_activation_{k}" for k in range(9))],
                             ["xavier_normal", "truncated_normal"], [2, 16], ["none", "batch"])  # fmt: skip
    activations = [make_run("tune", activation=a, init=i, depth=d, normalization=n) for a, i, d, n in grid]
    names = ["sgd", "centered_rmsprop", *(f"a_long_optimizer_{k}" for k in range(9))]
    rates = [(o, r, d, a) for o in names for r in (0.01, 0.1) for d in (1, 4) for a in ("relu", "tanh")]
    optimizers = [make_run("tune", optimizer=o, learning_rate=r, depth=d, activation=a) for o, r, d, a in rates]
    stores = [store_of("activations", activations), store_of("optimizers", optimizers)]
    stores[1].times = timing(names)
    with mpl.rc_context(style.RC):
        for results, record in itertools.product(map(Results.read, stores), figures()):
            figure = drawn(record, results)
            if figure is not None:
                figure.draw_without_rendering()
                check_texts(figure)
