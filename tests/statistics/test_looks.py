"""A family judged after every seed: the same as its pairs alone, corrected by Holm at each look."""

from __future__ import annotations

import numpy as np
import pytest
from samples import source

from mlpjit.statistics import looks, sequential
from mlpjit.statistics.holm import holm

EFFECTS = {"better": 2.0, "worse": -1.5, "undecided": 0.05}


def streams(n: int = 60) -> dict[str, np.ndarray]:
    return {name: source(at).normal(effect, 1.0, n) for at, (name, effect) in enumerate(EFFECTS.items())}


def slow(samples: dict[str, np.ndarray], alpha: float) -> dict[str, tuple[str, int]]:
    """Look by look from the definition: p of the evidence so far, Holm over the family, the decided frozen."""
    found: dict[str, tuple[str, int]] = {}
    for n in range(1, min(d.size for d in samples.values()) + 1):
        seen = {name: sequential.Evidence(d[: found[name][1] if name in found else n]) for name, d in samples.items()}
        corrected = holm([each.p() for each in seen.values()])
        for (name, each), p in zip(seen.items(), corrected, strict=True):
            if name not in found and p <= alpha:
                better, worse = each.log_wealths(0.0)
                found[name] = ("better" if better > worse else "worse", n)
    return found


def test_each_pair_stops_at_its_first_certain_look():
    samples = streams()
    wanted = slow(samples, 0.05)
    found = looks.judge(samples, "three", "points")
    assert set(wanted) == {"better", "worse"}
    assert {name: (v.answer, v.pairs) for name, v in found.items()} == wanted | {"undecided": ("undecided", 60)}
    assert found["undecided"].more is not None


def test_one_pair_is_decided_as_alone():
    d = streams()["worse"]
    alone, found = sequential.decide(d, margin=0.5), looks.judge({"it": d}, "one", "points", margin=0.5)["it"]
    assert (found.answer, found.pairs, found.p, found.low, found.high, found.estimate) == (
        alone.answer, alone.pairs, alone.p, alone.low, alone.high, alone.estimate,
    )  # fmt: skip
    assert found.corrected_p == found.p


def test_equal_within_a_margin():
    d = source(3).normal(0.0, 0.2, 80)
    found = looks.judge({"it": d, "other": d + 5}, "two", "points", margin=0.5)
    assert (found["it"].answer, found["other"].answer) == ("equal", "better")
    assert -0.5 < found["it"].low < found["it"].high < 0.5


@pytest.mark.parametrize("surplus", [0, 1, 25])
def test_what_comes_after_an_answer_changes_nothing(surplus):
    """So the verdict does not depend on how many runs were made at once."""
    samples = streams()
    first = looks.judge(samples, "three", "points")
    cut = {name: d[: first[name].pairs + (0 if name == "undecided" else surplus)] for name, d in samples.items()}
    assert looks.judge(cut, "three", "points") == first


def test_a_look_waits_for_all_that_are_open():
    samples = streams()
    short = samples | {"undecided": samples["undecided"][:3]}
    assert {v.pairs for v in looks.judge(short, "three", "points").values()} == {3}


def test_a_lost_run_is_a_pair_that_was_lost():
    d = np.full(12, -np.inf)
    found = looks.judge({"it": d}, "one", "points")["it"]
    assert (found.answer, found.estimate) == ("worse", -np.inf)


def test_pairs_that_are_the_same_show_nothing():
    assert looks.judge({"it": np.zeros(200)}, "one", "points")["it"].words == "not enough evidence"


@pytest.mark.parametrize("comparisons", [1, 25, 400])
def test_the_fewest_pairs_are_reached_by_wins_alone(comparisons):
    """Differences that hardly vary: each is many spreads away from 0."""
    n = looks.fewest_pairs(comparisons)
    p = [sequential.Evidence(1 + 1e-3 * np.arange(k)).p() for k in (n, n - 1)]
    assert comparisons * p[0] <= 0.05 < comparisons * p[1]
