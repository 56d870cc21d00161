"""Every optimizer has spaces that it can be tuned in: nothing in them is refused, and each says where it is from."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mlpjit.catalogue.registries import optimizers
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.study.study import Study
from mlpjit.tuning.ranges import parse_range
from mlpjit.tuning.rates import RATES
from mlpjit.tuning.spaces import Space, default_rate, find_space, spaces_of
from mlpjit.tuning.wide import MAIN

SPACES = [(name, space) for name in optimizers for space in spaces_of(name).values()]
IDS = [f"{name}-{space.name}" for name, space in SPACES]


def test_every_optimizer_has_two_and_nothing_else_has() -> None:
    assert set(optimizers) == set(RATES) == set(MAIN)
    assert all({"default", "wide"} <= set(spaces_of(name)) for name in optimizers)
    assert not spaces_of("one_of_my_own")
    assert default_rate("one_of_my_own") is None


@pytest.mark.parametrize(("name", "space"), SPACES, ids=IDS)
def test_no_corner_is_refused(name: str, space: Space) -> None:
    """Each parameter at one of its ends, in every combination."""
    defaults = optimizers[name].defaults
    for chosen in itertools.product(*(ends(entry) for entry in space.content.values())):
        values = dict(zip(space.content, chosen, strict=True))
        rate = values.pop("learning_rate")
        whole = {key: round(value) if type(defaults[key]) is int else value for key, value in values.items()}
        assert RunConfig(optimizer={"name": name, **whole}, learning_rate=rate)


def ends(entry: Any) -> list[float]:
    return entry if isinstance(entry, list) else [parse_range(entry).low, parse_range(entry).high]


@pytest.mark.parametrize(("name", "space"), SPACES, ids=IDS)
def test_a_space_says_where_it_is_from_and_can_be_planned(name: str, space: Space) -> None:
    assert len(space.source) > 10
    draws = {"draws": 3} if space.drawn else {}
    study = Study.from_table({"width": 4, "sweep": {"optimizer": {"name": name, "space": space.name}, **draws}})
    assert len(study.runs) == 3 if space.drawn else len(study.runs) == len(space.content["learning_rate"])


@pytest.mark.parametrize("name", list(optimizers))
def test_our_own_spaces_hold_the_default(name: str) -> None:
    """The default rate, and in the wide one each parameter's default, unless that is the end where it does nothing."""
    assert default_rate(name) in spaces_of(name)["default"].content["learning_rate"]
    wide = {**optimizers[name].defaults, "learning_rate": default_rate(name)}
    for key, entry in spaces_of(name)["wide"].content.items():
        found = parse_range(entry)
        assert wide[key] == 0 or found.low <= wide[key] <= found.high, key


def test_an_unknown_space_is_told() -> None:
    with pytest.raises(ConfigError, match="unknown space 'wid' of 'adam': did you mean 'wide'"):
        find_space("adam", "wid")
