"""The four answers, their families, and what does not depend on who else takes part."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import sequential, verdict
from mlpjit.statistics.paired import Tally
from mlpjit.statistics.signflip import SignFlip


def pair(effect: float, spread: float = 1.0, n: int = 12, seed: int = 0) -> np.ndarray:
    noise = source(seed).standard_normal(n)
    return effect + spread * (noise - noise.mean()) / noise.std(ddof=1)


PAIRS = {
    "better": pair(2.0),
    "worse": pair(-2.0, seed=1),
    "equal": pair(0.0, 0.1, seed=2),
    "undecided": pair(0.5, seed=3),
}


def judged(pairs, **options):
    return verdict.verdicts(pairs, "four against adam", "points", **options)


@pytest.mark.parametrize(("test", "n"), [("signflip", 12), ("signedrank", 12), ("evidence", 40)])
def test_the_four_answers(test, n):
    effects = {"better": (2.0, 1.0), "worse": (-2.0, 1.0), "equal": (0.0, 0.1), "undecided": (0.3, 1.0)}
    pairs = {name: pair(*effects[name], n=n, seed=seed) for seed, name in enumerate(effects)}
    found = judged(pairs, margin=0.5, test=test)
    assert {name: v.answer for name, v in found.items()} == {name: name for name in PAIRS}
    assert {(v.unit, v.family, v.test, v.margin) for v in found.values()} == {
        ("points", "four against adam", test, 0.5)
    }


def test_the_words():
    found = judged(PAIRS, margin=0.5)
    assert [found[name].words for name in PAIRS][:3] == ["better", "worse", "equal within 0.5 points"]
    assert found["undecided"].words == f"not enough evidence: about {found['undecided'].more} more pairs"
    assert judged({"none": [0.0] * 9})["none"].words == "not enough evidence"


def test_effect_interval_p_and_tally_are_the_tests():
    found, test = judged(PAIRS)["undecided"], SignFlip(PAIRS["undecided"])
    assert (found.estimate, found.low, found.high, found.p) == (test.estimate, *test.interval(), test.p())
    d = PAIRS["undecided"]
    assert found.tally == Tally(int((d > 0).sum()), 0, int((d < 0).sum()))


def test_without_a_margin_nothing_is_equal():
    assert judged(PAIRS)["equal"].answer == "undecided"


def test_equal_needs_the_interval_within_the_margin():
    d = {"only": pair(0.1, 0.3, seed=5)}
    low, high = SignFlip(d["only"]).interval()
    reach = max(-low, high)
    assert judged(d, margin=reach * 1.001)["only"].answer == "equal"
    assert judged(d, margin=reach * 0.999)["only"].answer != "equal"


def test_a_certain_difference_within_the_margin_is_equal():
    found = judged({"only": pair(0.1, 0.01)}, margin=0.5)["only"]
    assert (found.answer, found.low > 0) == ("equal", True)


def test_correction_may_take_an_answer_away_but_not_its_interval():
    d = pair(0.62, n=14, seed=7)
    alone = judged({"one": d})["one"]
    among = judged({"one": d, **{f"null {i}": pair(0.0, seed=i) for i in range(8)}})["one"]
    assert (alone.answer, among.answer) == ("better", "undecided")
    assert among.corrected_p > 0.05 >= among.p
    assert among.low == alone.low > 0
    assert among.more >= 1


@pytest.mark.parametrize("test", list(verdict.TESTS))
@pytest.mark.parametrize("n", [12, 20])
def test_more_competitors_leave_every_pair_as_it_was(test, n):
    pairs = {f"pair {i}": pair(0.3 * i, n=n, seed=i).round(2) for i in range(4)}
    more = {f"other {i}": pair(0.1 * i, n=n, seed=10 + i) for i in range(5)}
    few, many = judged(pairs, test=test, margin=0.4), judged({**more, **pairs}, test=test, margin=0.4)
    for name in pairs:
        same = [(v.estimate, v.low, v.high, v.p, v.tally) for v in (few[name], many[name])]
        assert same[0] == same[1]
        assert many[name].corrected_p >= few[name].corrected_p


def test_more_pairs_decide_as_promised():
    """Seeds that go on as they began: the answer comes with power 0.8 or more at the number named."""
    found = judged({"only": pair(0.5)})["only"]
    n = 12 + found.more
    answers = [judged({"d": source(100 + i).normal(0.5, 1.0, n)})["d"].answer for i in range(60)]
    assert 0.65 <= np.mean([a == "better" for a in answers]) <= 0.95


def test_a_larger_family_asks_for_more_pairs():
    d = pair(0.4)
    among = judged({"one": d, **{f"null {i}": pair(0.0, seed=i) for i in range(8)}})["one"]
    assert among.more > judged({"one": d})["one"].more


def test_a_margin_asks_for_fewer_pairs():
    d = {"only": pair(0.02, 0.4)}
    assert judged(d, margin=0.2)["only"].more < 50 < judged(d)["only"].more


def test_a_lost_run_is_in_the_answer():
    d = np.array([1.0] * 11 + [-math.inf])
    found = judged({"only": d})["only"]
    assert (found.answer, found.estimate, found.more) == ("undecided", -math.inf, None)
    assert judged({"only": d}, test="signedrank")["only"].answer == "better"
    assert judged({"only": [-math.inf] * 8})["only"].answer == "worse"


@pytest.mark.parametrize("margin", [None, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_evidence_on_one_pair_alone_is_the_sequential_decision(margin, seed):
    d = pair(0.25 * seed - 0.5, 0.5, n=60, seed=seed)
    wanted = sequential.decide(d, margin=margin)
    found = judged({"only": d[: wanted.pairs]}, margin=margin, test="evidence")["only"]
    assert (found.answer, found.estimate, found.low, found.high, found.p) == (
        (wanted.answer, wanted.estimate, wanted.low, wanted.high, wanted.p)
    )
    if wanted.pairs > 1:
        assert judged({"only": d[: wanted.pairs - 1]}, margin=margin, test="evidence")["only"].answer == "undecided"


def test_looking_takes_more_pairs_than_a_plan():
    d = {"only": pair(0.5, n=10)}
    plan, looking = judged(d)["only"], judged(d, test="evidence")["only"]
    assert plan.answer == looking.answer == "undecided"
    assert looking.more > plan.more


def test_what_is_wrong_is_told():
    with pytest.raises(ValueError, match="a margin is above 0"):
        judged(PAIRS, margin=-1.0)
    with pytest.raises(ValueError, match="unknown test 'sign': choose of signflip, signedrank, evidence"):
        judged(PAIRS, test="sign")
    with pytest.raises(ValueError, match="hold NaN"):
        judged({"only": [math.nan]})


def test_verdicts_are_plain_values():
    assert dataclasses.replace(judged(PAIRS)["better"]) == judged(PAIRS)["better"]
