"""Sixteen optimizers on seventeen tabular data sets (arXiv:2604.15297): which differ from adamw depends on the unit."""

from __future__ import annotations

import numpy as np
import pytest
from samples import tabular

from mlpjit.statistics import ranks, units, verdict

CONTROL = tabular()["adamw"]
PROBLEMS = list(CONTROL)
MEANS = np.array([[scores[problem].mean() for scores in tabular().values()] for problem in PROBLEMS])


def against_adamw(unit, name):
    own = list(CONTROL.values())
    differences = {
        optimizer: units.over_problems([scores[problem] for problem in PROBLEMS], own, True, unit)
        for optimizer, scores in tabular().items()
        if optimizer != "adamw"
    }
    return verdict.verdicts(differences, "15 optimizers against adamw, over 17 data sets", name, test="signedrank")


def claims(found):
    return {name: v.answer for name, v in found.items() if v.answer != "undecided"}


def test_the_data_are_whole():
    assert len(tabular()) == 16
    assert all(len(scores) == 17 and all(s.size == 10 for s in scores.values()) for scores in tabular().values())


def test_the_field_differs():
    assert ranks.friedman(MEANS, higher_is_better=True).p == pytest.approx(1.8e-6, abs=0.05e-6)
    found = ranks.nemenyi(MEANS, higher_is_better=True)
    assert found.critical_difference == pytest.approx(5.59, abs=0.005)
    assert found.refused is None


def test_three_verdicts_in_units_of_adamws_spread_over_seeds():
    found = against_adamw(units.seed_spread(list(CONTROL.values())), "seed standard deviations of adamw")
    assert claims(found) == {"adamw-ema": "better", "muon": "better", "sgd": "worse"}
    corrected = [round(found[name].corrected_p, 3) for name in ("adamw-ema", "muon", "sgd")]
    assert corrected == [0.039, 0.039, 0.041]


def test_one_verdict_in_raw_scores():
    assert claims(against_adamw(1.0, "the score itself")) == {"adamw-ema": "better"}
