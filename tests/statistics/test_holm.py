"""Holm's correction by hand; against statsmodels in test_golden_statistics.py."""

from __future__ import annotations

import numpy as np
import pytest

from mlpjit.statistics import holm


def test_by_hand():
    assert holm.holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_a_family_has_a_name_and_claims():
    found = holm.family("three against adam", {"sgd": 0.01, "lion": 0.04, "muon": 0.03})
    assert found.name == "three against adam"
    assert found.claims() == ["sgd"]
    assert found.claims(0.06) == ["sgd", "lion", "muon"]
    assert found.raw == {"sgd": 0.01, "lion": 0.04, "muon": 0.03}


def test_no_tests_need_no_correction():
    assert holm.holm([]).size == 0


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_only_probabilities(p):
    with pytest.raises(ValueError, match=r"p-values lie in 0\.\.1"):
        holm.holm([0.5, p])
