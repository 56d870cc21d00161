"""Colours stay, numbers are short, panels stand where they are told."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from mlpjit.catalogue.registries import activations
from mlpjit.report import style, ticks
from mlpjit.report.figures import layout
from mlpjit.report.figures.results import with_skips


@pytest.mark.parametrize(
    ("label", "colour", "marker"),
    [("sgd", "#000000", "o"), ("momentum", "#E69F00", "s"), ("rmsprop", "#009E73", "^"), ("adam", "#0072B2", "v")],
)
def test_known_labels_look_the_same_whatever_stands_beside_them(label: str, colour: str, marker: str) -> None:
    for others in ([], ["adam", "sgd"], [f"other_{k}" for k in range(20)]):
        look = style.looks([*others, label])[label]
        assert (look.colour, look.marker) == (colour, marker)


def test_every_activation_has_a_look_of_its_own() -> None:
    looks = {style.KNOWN[name] for name in activations}
    assert len(looks) == len(activations)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("none", "plain"),
        ("batch", "batch norm"),
        ("none + pre", "plain + pre skips"),
        ("rms + post", "rms norm + post skips"),
    ],
)
def test_normalizations_and_skips_have_names(name: str, shown: str) -> None:
    own, _, skip = name.partition(" + ")
    runs = pd.DataFrame({"normalization": ["none", own], "residual": ["none", skip or "none"]})
    assert with_skips(runs)["normalization"].tolist() == ["none", name]
    assert style.normalized(name) == shown


def test_unknown_labels_do_not_depend_on_their_order() -> None:
    names = ["adam", "mine", "adam(b1=0.95)", "yours"]
    assert style.looks(names) == style.looks(names[::-1])


@pytest.mark.parametrize("count", [2, 7, 20])
def test_no_two_labels_look_alike(count: int) -> None:
    looks = style.looks([*(f"optimizer_{k}" for k in range(count)), "sgd", "adam"])
    assert len(set(looks.values())) == count + 2


def test_few_labels_have_a_colour_each() -> None:
    looks = style.looks(["sgd", "adam", "one", "two", "three", "four", "five"])
    assert len({look.colour for look in looks.values()}) == 7


def test_more_labels_than_looks_still_get_one() -> None:
    assert len(style.looks(range(40))) == 40


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", style.COLOURS)
def test_colours_show_on_white(colour: str) -> None:
    assert luminance(colour) < 0.72


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0812, "0.081"), (0.0996, "0.10"), (1.234, "1.23"), (12.34, "12"), (4e5, "4e5"), (2e-7, "2e-7"), (0.0, "0"),
     (math.inf, "∞")],
)  # fmt: skip
def test_short_numbers(value: float, text: str) -> None:
    assert style.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.0316, "0.032"), (0.001, "1e-3"), (3.16e-4, "3.2e-4"), (1e-5, "1e-5")]
)
def test_rates_take_six_characters_at_most(value: float, text: str) -> None:
    assert style.rate(value) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(0.08, 0.6, [0.1, 0.2, 0.5]), (0.9, 110, [1, 3, 10, 30, 100]), (0.47, 0.54, [0.5]), (1e-9, 1e-1, 5)],
)
def test_log_ticks_are_few_and_round(low: float, high: float, wanted: list[float] | int) -> None:
    found = ticks.log_ticks(low, high)
    if isinstance(wanted, int):
        assert len(found) == wanted
    elif len(wanted) > 1:
        assert found == pytest.approx(wanted)
    else:
        assert found == [low, high]


def test_log_limits_ignore_what_has_no_logarithm() -> None:
    low, high = ticks.log_limits([0.0, -1.0, math.inf, math.nan, 1.0, 100.0])
    assert low < 1.0 < 100.0 < high < 200
    assert ticks.log_limits([math.inf]) == (0.1, 1.0)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 4), (5, 3), (6, 3), (12, 4), (9, 3)])
def test_grids_are_full(count: int, columns: int) -> None:
    assert layout.grid_columns(count) == columns
