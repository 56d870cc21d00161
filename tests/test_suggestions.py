"""What was probably meant by a misspelt name."""

from __future__ import annotations

import pytest

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.registry import edits, suggestion


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("adam", "adam", 0), ("", "sgd", 3), ("adma", "adam", 1), ("adma", "adamax", 2), ("badc", "abcd", 2),
     ("kitten", "sitting", 3), ("ca", "abc", 3)],
)  # fmt: skip
def test_edits_are_counted_both_ways(one: str, other: str, count: int) -> None:
    assert edits(one, other) == edits(other, one) == count


@pytest.mark.parametrize(
    ("got", "kind", "meant"),
    [("adma", "optimizers", "adam"), ("sdg", "optimizers", "sgd"), ("adamm", "optimizers", "adam"),
     ("admaw", "optimizers", "adamw"), ("ADAM", "optimizers", "adam"), ("ReLU", "activations", "relu")],
)  # fmt: skip
def test_the_name_of_the_fewest_edits_is_suggested(got: str, kind: str, meant: str) -> None:
    assert suggestion(got, REGISTRIES[kind]) == f": did you mean {meant!r}?"


def test_a_name_is_suggested_as_it_is_spelt() -> None:
    assert suggestion("price", ["Price", "area"]) == ": did you mean 'Price'?"
    assert suggestion("zzz", ["Price", "area"]) == " (known: Price, area)"
