"""Ranges: their scales, ends, rounding and edges, and what is told of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from mlpjit.errors import ConfigError
from mlpjit.tuning.ranges import Range, parse_range

VALUES = [
    (Range("log", 1e-4, 1e-1), [1e-4, 10**-2.5, 1e-1]),
    (Range("uniform", 0.8, 0.9), [0.8, 0.85, 0.9]),
    (Range("one_minus_log", 0.9, 0.999), [0.9, 0.99, 0.999]),
    (Range("log", 1, 100), [1, 10, 100]),
]


@pytest.mark.parametrize(("found", "values"), VALUES, ids=str)
def test_ends_and_middle(found: Range, values: list[float]) -> None:
    assert [found.at(share) for share in (0.0, 0.5, 1.0)] == pytest.approx(values, rel=2e-3)
    assert (found.at(0.0), found.at(1.0)) == (found.low, found.high)


@pytest.mark.parametrize("found", [found for found, _ in VALUES], ids=str)
def test_the_outer_tenths_are_edges(found: Range) -> None:
    shares = (0.0, 0.08, 0.15, 0.5, 0.85, 0.92, 1.0)
    assert [found.edge(found.at(share)) for share in shares] == ["low", "low", "", "", "", "high", "high"]


def test_drawn_values_are_short() -> None:
    assert Range("log", 1e-4, 1e-1).at(1 / 3) == 0.001
    assert Range("uniform", 0.0, 1.0).at(0.123456) == 0.123
    assert Range("one_minus_log", 0.9, 0.999).at(0.77) == 0.99712


WRONG = [
    ({"lgo": [1, 2]}, "unknown scale 'lgo': did you mean 'log'?"),
    ({"log": [0, 2]}, "need two numbers above 0, the lower one first"),
    ({"log": [2, 1]}, "the lower one first"),
    ({"uniform": [1]}, "need two numbers"),
    ({"uniform": [0, 10**400]}, "need two numbers"),
    ({"log": [1, 10**400]}, "need two numbers above 0"),
    ({"uniform": [0, True]}, "need two numbers"),
    ({"one_minus_log": [0.5, 1.0]}, "need two numbers from 0 up and below 1"),
    ({"log": [1, 2], "uniform": [1, 2]}, "need one scale with two ends"),
    ({}, "need one scale with two ends"),
]


@pytest.mark.parametrize(("entry", "told"), WRONG, ids=lambda each: str(each)[:40])
def test_what_is_no_range_is_told(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_range(entry)
    assert told in str(raised.value)
