"""Every entry against results that other people's code computed; the table of proofs is complete and current."""

from __future__ import annotations

import importlib
import re
from typing import Any

import numpy as np
import pytest
from goldens import proofs
from goldens.ours import OURS
from goldens.records import difference, load

from mlpjit.catalogue.specs import registry

CASES = [(kind, number, case.title) for kind in OURS for number, case in enumerate(load(kind)[0])]


@pytest.mark.parametrize(("kind", "number"), [c[:2] for c in CASES], ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in CASES])
def test_ours_equals_the_golden_values(kind, number):
    case, gap = proofs.measured(kind)[number]
    assert gap <= case.tolerance, f"{case.title}: {gap}"


@pytest.mark.parametrize("kind", OURS)
def test_every_entry_has_a_row_and_none_is_unknown(kind):
    proven = {row[0] for row in proofs.rows(kind)}
    assert proven == set(proofs.entries(kind))
    assert all(case.entry in proven for case in load(kind)[0])
    assert len(set(proofs.rows(kind))) == len(proofs.rows(kind))


def forms(defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the options that choose between forms of a rule: those of codes and papers that differ."""
    return {name: value for name, value in defaults.items() if isinstance(value, bool)}


STAGES = [(kind, name) for kind in ("optimizers", "wrappers", "clippings") for name in registry(kind)]


@pytest.mark.parametrize(("kind", "name"), STAGES)
def test_the_form_that_is_the_default_has_an_outside_proof(kind, name):
    """Or a derivation: an option that only other forms are proven of would leave the paper's own to us."""
    chosen = forms(registry(kind)[name].defaults)
    proven = [c for c in load(kind)[0] if c.entry == name and {**chosen, **c.settings}.items() >= chosen.items()]
    assert proven or name in proofs.DERIVED.get(kind, {})


@pytest.mark.parametrize("kind", OURS)
def test_a_wider_tolerance_has_a_reason(kind):
    assert [case.title for case in load(kind)[0] if case.tolerance > 1e-10 and not case.note] == []


FIGURE = re.compile(r"\d\.\de[-+]\d\d")


def test_the_page_is_current():
    """`PYTHONPATH=tests:. python -m goldens.proofs` writes it.

    The gradients of some problems are NumPy's, whose last bits depend on the CPU, so figures may differ a little.
    """
    written, found = proofs.PAGE.read_text(encoding="utf-8"), proofs.page()
    assert FIGURE.sub("x", written) == FIGURE.sub("x", found)
    for stored, now in zip(FIGURE.findall(written), FIGURE.findall(found), strict=True):
        assert float(now) <= 4.0 * float(stored) + 1e-15
        assert float(stored) <= 4.0 * float(now) + 1e-15


def test_a_difference_is_found():
    wanted = {"path": np.array([1.0, 200.0])}
    assert difference({"path": np.array([1.0, 200.1])}, wanted) == pytest.approx(5e-4)
    assert difference({"path": np.array([1.0, np.nan])}, wanted) == np.inf
    assert difference({"path": np.zeros(3)}, wanted) == np.inf
    assert difference({}, wanted) == np.inf


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # of the others' code
@pytest.mark.parametrize("kind", OURS)
def test_the_oracles_compute_the_same_again(kind):
    """With whatever versions are installed; the stored ones are those of the table."""
    stored, _ = load(kind)
    again = {case.title + case.oracle: case for case in importlib.import_module(f"goldens.make_{kind}").make()}
    assert set(again) == {case.title + case.oracle for case in stored}
    for case in stored:
        gap = difference(again[case.title + case.oracle].arrays, case.arrays)
        assert gap <= 1e-12, f"{case.title}, {case.oracle}: {gap}"
