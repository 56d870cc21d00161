"""Ours beside what statsmodels, scikit-posthocs and rliable say of the same data (goldens/make_statistics.py)."""

from __future__ import annotations

import numpy as np
import pytest
from goldens.records import difference, load

from mlpjit.statistics import aggregate, effects, holm, power, ranks

CASES, GIVEN = load("statistics")
SETS = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


def given(entry):
    return next(case.given for case in CASES if case.entry == entry)


def shares():
    found = effects.variance_shares(GIVEN["grid"])
    return np.array([found[chosen] for chosen in SETS])


OURS = {
    "holm": lambda: {"corrected": holm.holm(GIVEN["p_values"])},
    "variance_shares": lambda: {"shares": shares()},
    "nemenyi": lambda: {"p": ranks.nemenyi(GIVEN["field"], higher_is_better=True).p},
    "power": lambda: {"power": np.array([power.power(*plan) for plan in given("power")["plans"]])},
    "interquartile_mean": lambda: {"value": aggregate.interquartile_mean(GIVEN["first"])},
    "optimality_gap": lambda: {"value": aggregate.optimality_gap(GIVEN["first"])},
    "probability_of_improvement": lambda: {
        "value": aggregate.probability_of_improvement(GIVEN["first"], GIVEN["second"])
    },
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_ours_equals_the_golden_values(case):
    assert difference(OURS[case.entry](), case.arrays) <= case.tolerance


def test_every_golden_value_is_compared():
    assert {case.entry for case in CASES} == set(OURS)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")  # of the others' code
def test_the_golden_values_can_be_had_again():
    for name in ("statsmodels", "scikit_posthocs", "rliable"):
        pytest.importorskip(name)
    from goldens import make_statistics

    for made, stored in zip(make_statistics.make(), CASES, strict=True):
        assert difference(made.arrays, stored.arrays) <= 1e-12
