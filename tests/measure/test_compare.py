"""The comparison of two versions: its statistics on made-up timings, its errors, and one real comparison."""

from __future__ import annotations

import math
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlpjit.errors import ConfigError
from mlpjit.measure.versions import compare, evidence, launches, revisions

scipy_stats = pytest.importorskip("scipy.stats")

CASES = [f"case{i}" for i in range(90)]


class Made:
    """Log ratios with a spread of its own for each case (1-5 % a launch, heavy tails, an outlier now and then)."""

    def __init__(self, seed, shift=0.0, slowed=()):
        self.random, self.shift, self.slowed = np.random.default_rng(seed), shift, set(slowed)
        self.spread = dict(zip(CASES, self.random.uniform(0.01, 0.05, len(CASES)), strict=True))

    def value(self, name, layouts):
        noise = self.spread[name] * self.random.standard_t(5) / math.sqrt(layouts)
        outlier = self.random.normal(0, 0.3) if self.random.random() < 0.01 else 0.0
        return noise + outlier + (self.shift if name in self.slowed else 0.0)

    def measure(self, names, launches, layouts):
        for _ in range(launches):
            yield {name: self.value(name, layouts) for name in (CASES if names is None else names)}


def test_identical_versions_do_not_alarm():
    found = [compare.judge(Made(seed), "a", "b").verdict for seed in range(200)]
    assert found.count("no evidence") >= 199


def test_a_tenth_more_is_found():
    slowed = [compare.judge(Made(seed, math.log(1.1), CASES[:1]), "a", "b") for seed in range(100)]
    assert sum([c.name for c in found.decided] == CASES[:1] for found in slowed) >= 90
    quick = [compare.judge(Made(seed, -math.log(1.1), CASES[:3]), "a", "b").verdict for seed in range(50)]
    assert quick.count("faster") >= 48


def test_three_percent_more_is_never_called_faster():
    found = [compare.judge(Made(seed, math.log(1.03), CASES[:5]), "a", "b").verdict for seed in range(100)]
    assert not any("faster" in verdict for verdict in found)


def test_slower_and_faster_are_both_told():
    class Mixed(Made):
        def value(self, name, layouts):
            return {"case0": 0.2, "case1": -0.2}.get(name, 0.0) + 0.001 * self.random.normal()

    found = compare.judge(Mixed(0), "a", "b")
    assert found.verdict == "slower and faster"
    assert {c.name: c.verdict for c in found.decided} == {"case0": "slower", "case1": "faster"}
    assert all(c.confidence > 0.99 and c.low < c.ratio < c.high for c in found.decided)


@pytest.mark.parametrize("name", CASES[:3])
def test_what_it_says_it_would_have_seen_it_sees(name):
    """In four of five comparisons, as near as the spread of a few launches says; half of it, seldom."""
    whole, half = [], []
    for seed in range(60):
        sampler = Made(seed)
        estimates = evidence.estimate([sampler.value(name, 2) for _ in range(compare.LOOKS[-1])])
        seen = estimates.seen(compare.MARGIN, compare.THRESHOLD, compare.ALPHA / 2)
        for share, found in ((1.0, whole), (0.5, half)):
            again = evidence.estimate([share * seen + sampler.value(name, 2) for _ in range(compare.LOOKS[-1])])
            found.append(2 * again.p_value(compare.MARGIN) < compare.ALPHA and again.center > compare.THRESHOLD)
    assert np.mean(whole) > 0.65
    assert np.mean(half) < 0.3


def test_no_evidence_says_what_it_would_have_seen():
    found = compare.judge(Made(0), "a", "b")
    assert found.verdict == "no evidence"
    assert math.exp(compare.THRESHOLD) < found.seen < 1.2
    assert found.seen < found.seen_at_most < 2.0
    assert all(math.exp(compare.THRESHOLD) < case.seen <= found.seen_at_most for case in found.cases)


def test_it_tells_which_launch_of_how_many_and_the_time_left():
    told = []
    compare.judge(Made(0), "a", "b", told.append)
    assert told[0] == "all cases: launch 1 of 3"
    assert told[2] == "all cases: launch 3 of 3, 0 s left of these"
    assert told[3].endswith("of 90 cases again: launch 1 of 8")


class Clock:
    """A process whose speed drifts, that is slow when it has just been woken, and disturbed now and then."""

    time = 0.0

    def __init__(self, seconds, random):
        self.seconds, self.random, self.asked = seconds, random, []

    def send(self, *request):
        self.asked.append(request)

    def answer(self):
        request = self.asked.pop(0)
        if request[0] != "run":
            return None
        Clock.time += 1.0
        disturbed = 3.0 if self.random.random() < 0.02 else 1.0
        return self.seconds * disturbed * (1.0 + 0.003 * Clock.time) * self.random.uniform(0.995, 1.005)


@pytest.mark.parametrize("ratio", [1.0, 1.1])
def test_turns_cancel_drift_and_outliers(ratio):
    random.seed(0)
    found = []
    for seed in range(50):
        Clock.time, chance = 0.0, random.Random(seed)
        pair = launches.Pair(Clock(1.0, chance), Clock(ratio, chance))
        found.append(pair.log_ratio("case", 1))
    assert np.median(found) == pytest.approx(math.log(ratio), abs=0.005)
    assert np.mean(np.abs(np.array(found) - math.log(ratio)) < 0.02) >= 0.9


@pytest.mark.parametrize("freedom", [1, 2, 3, 6, 7, 13])
def test_t_distribution(freedom):
    for t in (0.0, 0.3, 1.0, 4.0, 9.0):
        assert evidence.t_tail(t, freedom) == pytest.approx(scipy_stats.t.sf(t, freedom), rel=1e-6, abs=1e-15)
    assert evidence.t_quantile(0.001, freedom) == pytest.approx(scipy_stats.t.isf(0.001, freedom), rel=1e-6)


def test_trimmed_mean():
    values = [0.1, -0.2, 0.05, 9.0, 0.02, -0.04, 0.03, -7.0]
    found = evidence.estimate(values)
    assert found.center == pytest.approx(scipy_stats.trim_mean(values, 0.125))
    theirs = scipy_stats.ttest_ind(values, [0.0] * 8, trim=0.125, equal_var=False)
    assert found.center / found.error == pytest.approx(theirs.statistic)
    assert found.freedom == 5


def test_holm():
    given = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    expected = {"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06}
    assert evidence.holm(given) == pytest.approx(expected)
    two = {name: given[name] for name in "ad"}
    assert evidence.holm(two, 4) == pytest.approx({"d": 0.02, "a": 0.03})


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "mlpjit").mkdir()
    (tmp_path / "mlpjit/__init__.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "before there were cases")
    return tmp_path


def refusal(revision, folder):
    with pytest.raises(ConfigError) as caught, revisions.against(revision, folder):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_errors_are_one_clear_line(repository, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    assert "not in a git repository" in refusal("HEAD", outside)
    assert refusal("no-such", repository) == "unknown revision 'no-such'"
    assert "has no table of cases" in refusal("HEAD", repository)
    (repository / "mlpjit/measure").mkdir()
    (repository / revisions.CASES[1]).write_text("")
    assert refusal("HEAD", repository).startswith("HEAD: has no table of cases yet")


CASES_FILE = """
import time
from types import SimpleNamespace


def cases(dtype):
    def work(count):
        def run(repeats):
            for _ in range(repeats):
                sum(range(count))
        return SimpleNamespace(make=lambda: SimpleNamespace(run=run))
    return {"same": work(100), "changed": work(%d)}
"""


def test_a_case_that_one_version_cannot_make_is_told(repository):
    """Left out, a change that breaks what it touches would pass for one that slows nothing."""
    (repository / "mlpjit/workspace.py").write_text("aligned = None\n")
    (repository / "mlpjit/measure").mkdir()
    (repository / revisions.CASES[1]).write_text(CASES_FILE % 10)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "cases")
    (repository / revisions.CASES[1]).write_text((CASES_FILE % 10).replace("sum(range(count))", "sum(count)"))
    with (
        revisions.against("HEAD", repository / "mlpjit") as (before, after),
        pytest.raises(ConfigError, match=r"working tree: cannot make same, and 1 more: TypeError: .*not iterable"),
    ):
        compare.compare(before, after)


def test_two_versions_end_to_end(repository, monkeypatch):
    """A package with nothing but a table of cases: what is committed does a third of the work."""
    (repository / "mlpjit/workspace.py").write_text("aligned = None\n")
    (repository / "mlpjit/measure").mkdir()
    (repository / revisions.CASES[1]).write_text(CASES_FILE % 200)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "cases")
    (repository / revisions.CASES[1]).write_text(CASES_FILE % 600)
    with revisions.against("HEAD", repository / "mlpjit") as (before, after):
        assert Path(after.tree) == repository.resolve()
        found = compare.compare(before, after, only="chang")
        with pytest.raises(ConfigError, match="with 'other' in its name"):
            compare.compare(before, after, only="other")
    assert (found.verdict, found.measured) == ("slower", 1)
    assert [case.name for case in found.decided] == ["changed"]
    assert found.decided[0].ratio > 1.5
    assert not before.tree.exists()
