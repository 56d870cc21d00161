"""Configs that differ in their rate and seeds alone: made from one of them, each as it would be by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpjit.config.alike import Alike, own_of, with_own
from mlpjit.config.run_config import RunConfig
from mlpjit.config.setting import OPEN, setting_of

BASE = {"dataset": "two_moons", "hidden": [4, 4], "optimizer": "adam", "l2": 0.1, "timeout": 3.0}
OWN = [(seed, rate, 3 * seed, seed + 5, 7) for seed, rate in ((0, 0.1), (2**40 + 1, 1e-3), (3, 0.25))]


def given(own: tuple[object, ...]) -> RunConfig:
    return RunConfig(**BASE, **dict(zip(OPEN, own, strict=True)))


def test_a_config_made_from_another_is_the_one_that_is_described():
    first = given(OWN[0])
    assert first.run_id == given(OWN[0]).run_id  # which it keeps, and no other may take over
    for own in OWN:
        made, wanted = with_own(first, own), given(own)
        assert (made, made.run_id, own_of(made)) == (wanted, wanted.run_id, own)
        assert made.data is first.data
        assert setting_of(made.__dict__) is setting_of(first.__dict__)


def test_configs_alike_are_a_sequence_of_configs():
    alike = Alike(given(OWN[0]), OWN)
    assert (len(alike), list(alike)) == (3, [given(own) for own in OWN])
    assert (alike[-1], list(alike[1:])) == (given(OWN[2]), [given(own) for own in OWN[1:]])
    assert alike.columns == {name: tuple(getattr(config, name) for config in alike) for name in OPEN}


@pytest.mark.parametrize("odd", [{}, {"dataset": "100%r%%s.csv"}, {"dataset": {"name": "two_moons", "noise": 0.3}}])
def test_texts_are_the_canonical_forms_of_each_config(odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("100%r%%s.csv").write_text("a,y\n" + "".join(f"{row}.5,{row % 2}\n" for row in range(20)))
    alike = Alike(RunConfig(**{**BASE, **odd, **dict(zip(OPEN, OWN[0], strict=True))}), OWN)
    found = setting_of(alike.like.__dict__).texts(alike.columns)
    assert found == [json.dumps(config.canonical(), separators=(",", ":")) for config in alike]
