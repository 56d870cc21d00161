"""Every entry against results that other people's code computed; the table of proofs is complete and current."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from goldens import proofs
from goldens.ours import OURS
from goldens.records import difference, load

from mlpjit.specs import registry

CASES = [(kind, number, case.title) for kind in OURS for number, case in enumerate(load(kind)[0])]


@pytest.mark.parametrize(("kind", "number"), [c[:2] for c in CASES], ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in CASES])
def test_ours_equals_the_golden_values(kind, number):
    case, gap = proofs.measured(kind)[number]
    assert gap <= case.tolerance, f"{case.title}: {gap}"


@pytest.mark.parametrize("kind", OURS)
def test_every_entry_has_a_row_and_none_is_unknown(kind):
    proven = {row[0] for row in proofs.rows(kind)}
    assert proven == set(registry(kind))
    assert all(case.entry in registry(kind) for case in load(kind)[0])


@pytest.mark.parametrize("kind", OURS)
def test_a_wider_tolerance_has_a_reason(kind):
    assert [case.title for case in load(kind)[0] if case.tolerance > 1e-10 and not case.note] == []


def test_the_page_is_current():
    """`PYTHONPATH=tests:. python -m goldens.proofs` writes it."""
    assert proofs.PAGE.read_text(encoding="utf-8") == proofs.page()


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
