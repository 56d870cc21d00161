"""Pairs of runs on fresh seeds, added until it is certain who is better: newcomers against the rivals of a study.

Each side runs at its best setting of the problem; where tuning is repeated, seeds are for its repetitions in turn. The
seeds are the study's final ones, then those that follow; runs that the store holds are not made again. Seeds are looked
at in their order (`statistics/looks.py`), so a verdict depends on stored results alone: not on how many runs were made
at once, when, or by how many calls.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from mlpjit.comparison import names
from mlpjit.comparison.compare import ALPHA, Compared, counted
from mlpjit.comparison.scores import REPORTED, Measure, measure
from mlpjit.config.fields import PROBLEM, SEED_FIELDS, SETTING
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.statistics import looks, paired
from mlpjit.statistics.paired import Floats
from mlpjit.statistics.verdict import Verdict
from mlpjit.store import Store
from mlpjit.study.choice import Known
from mlpjit.study.competitors import Called
from mlpjit.study.finals import best_members
from mlpjit.study.repetitions import split
from mlpjit.study.runs import ListedRuns, Runs

CAP = 100  # seeds: an effect of half a standard deviation is found within 83 in 9 of 10 comparisons
RUNS_PER_THREAD = 8  # in a batch: no core waits long for the last ones, and few are made beyond a verdict's look
MOST_SEED = 2**31
Row = Mapping[str, Any]
Problem = tuple[Any, ...]  # a data set and its loss; without it, where losses compete


@dataclass(frozen=True)
class Side:
    """A competitor on a problem: `settings` has a tuning run of its best setting, of each repetition of the tuning.

    `entry` is its value of the field that is tried, `loss` that of its runs.
    """

    name: str
    entry: str
    loss: str
    settings: tuple[int, ...]
    rest: tuple[Any, ...]  # what else the competitor is a value of


@dataclass(frozen=True)
class Pair:
    """A newcomer and a rival on one problem."""

    newcomer: Side
    rival: Side
    problem: str
    measure: Measure

    @property
    def key(self) -> str:
        """What names it."""
        return f"{self.newcomer.name} against {self.rival.name} on {self.problem}"


class Tuned(Protocol):
    """What is asked of a study whose competitors are tuned."""

    @property
    def runs(self) -> Runs:
        """The distinct tuning runs."""

    @property
    def per(self) -> tuple[str, ...]:
        """The columns whose values compete."""

    @property
    def called(self) -> Called:
        """The competitors of tuned specs."""

    @property
    def repetitions(self) -> Sequence[Sequence[int]]:
        """The tuning seeds of each repetition."""

    @property
    def classified(self) -> Sequence[str]:
        """The user's own datasets that have classes."""


def problem_columns(per: Sequence[str]) -> tuple[str, ...]:
    """Return what makes a problem: a data set and its loss, unless losses compete."""
    return PROBLEM[:1] if "loss" in per else PROBLEM


def sides(study: Tuned, known: Known, field: str = "optimizer") -> dict[Problem, list[Side]]:
    """Return the competitors of each problem at their best settings, in a stable order of them.

    `field` is that of which they are values, whatever else they are of.
    """
    members = best_members(study.runs, known, study.per, study.called, study.repetitions)
    found: dict[Problem, list[Side]] = {}
    for settings in zip(*members, strict=True):
        config = study.runs.config(settings[0])
        row = config.factors()
        values = {name: study.called.get(name, {}).get(row[name], row[name]) for name in study.per}
        rest = tuple(value for name, value in values.items() if name not in (field, *PROBLEM))
        side = Side(names.competitor(study.per, values.values()), _entry(config, field), row["loss"], settings, rest)
        found.setdefault(tuple(row[name] for name in problem_columns(study.per)), []).append(side)
    return found


def _entry(config: RunConfig, field: str) -> str:
    """Return the name of what a field of a run chooses."""
    value = getattr(config, field)
    return str(value["name"]) if isinstance(value, Mapping) else str(value).partition("(")[0]


def pairs_of(study: Tuned, known: Known, field: str, tried: Sequence[str]) -> list[Pair]:
    """Return every newcomer beside every rival, problem by problem.

    Where competitors are values of several columns, those of which all but the field that is tried agree are
    paired.
    """
    found = sides(study, known, field)
    problems = _called(study, found)
    return [
        Pair(mine, other, problems[problem], measure(REPORTED["final"], problem[0], other.loss, study.classified))
        for problem, some in found.items()
        for mine, other in itertools.product(some, some)
        if mine.entry in tried and other.entry not in tried and mine.rest == other.rest
    ]


def _called(study: Tuned, found: Mapping[Problem, Any]) -> dict[Problem, str]:
    """Return the name of each problem; where losses compete, that of its data set."""
    if "loss" in study.per:
        return {problem: str(problem[0]) for problem in found}
    return dict(names.problems(dict(zip(PROBLEM, problem, strict=True)) for problem in found))


def best_settings(study: Tuned, known: Known, field: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return by competitor and problem what varies of its best setting, of its first where tuning is repeated."""
    found = sides(study, known, field)
    problems = _called(study, found)
    compared = [name for name in study.per if name not in study.called]
    hidden = (*PROBLEM, *compared, "hidden")
    told = [name for name in SETTING if name not in hidden and study.runs.varies(name)]
    best: dict[str, dict[str, dict[str, Any]]] = {}
    for problem, some in found.items():
        for side in some:
            row = study.runs.config(side.settings[0]).factors()
            kept = {name: row[name] for name in told if name not in study.per or row[name] != side.name}
            best.setdefault(side.name, {})[problems[problem]] = kept
    return best


def fresh_seeds(runs: Runs, final: Sequence[int], count: int, repetitions: int = 1) -> list[tuple[int, int]]:
    """Return the final seeds, then those that follow and took no part in tuning: `count` of them.

    Each with the repetition of the tuning that it is for, in turn; final seeds are for those that report on them.
    """
    taken = {seed for name in SEED_FIELDS for seed in runs.column(name)}
    reported = [
        (seed, turn) for seeds in zip(*split(final, repetitions), strict=True) for turn, seed in enumerate(seeds)
    ]
    start = 1 + max(final or taken, default=0)
    others = (number % MOST_SEED for number in itertools.count(start))
    fresh = zip((s for s in others if s not in {*taken, *final}), itertools.cycle(range(repetitions)), strict=False)
    return list(itertools.islice(itertools.chain(reported, fresh), count))


@dataclass(frozen=True)
class Judged:
    """A verdict with what it rests on: the seeds in their order, and the difference on each."""

    compared: Compared
    entry: str
    measure: Measure
    seeds: tuple[int, ...]
    differences: tuple[float, ...]

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        rests_on = {"seeds": list(self.seeds), "differences": list(self.differences)}
        return {**self.compared.record(), "metric": self.measure.title, **rests_on}


@dataclass(frozen=True)
class Pairing:
    """Pairs that are looked at seed by seed, at most `cap` seeds, all one family."""

    runs: Runs
    pairs: Sequence[Pair]
    final: Sequence[int]
    cap: int
    margin: float | None = None

    def __post_init__(self) -> None:
        units = sorted({pair.measure.unit for pair in self.pairs})
        if self.margin is not None and len(units) > 1:
            raise ConfigError(f"margin: scores of these problems are in {' and '.join(units)}, so none fits all")

    @cached_property
    def seeds(self) -> list[tuple[int, int]]:
        """The seeds in the order in which they are looked at, each with the repetition of the tuning that it is for."""
        repetitions = max((len(pair.newcomer.settings) for pair in self.pairs), default=1)
        return fresh_seeds(self.runs, self.final, self.cap, repetitions)

    @cached_property
    def _configs(self) -> dict[tuple[int, int], RunConfig]:
        return {}

    def _config(self, side: Side, at: int) -> RunConfig:
        """The run of a side on a seed, made once."""
        seed, repetition = self.seeds[at]
        index = side.settings[repetition]
        if (index, seed) not in self._configs:
            self._configs[index, seed] = self.runs.with_seed(index, seed)
        return self._configs[index, seed]

    def batch(self, store: Store, threads: int) -> ListedRuns | None:
        """Return the runs that the next looks need; None once all is certain or the cap is reached."""
        samples = self.differences(store)
        is_open = self._open(samples)
        if not is_open:
            return None
        seen = min(samples[pair.key].size for pair in is_open)
        sides = list(dict.fromkeys(side for pair in is_open for side in (pair.newcomer, pair.rival)))
        places = range(seen, min(seen + self._step(seen, len(sides), threads), self.cap))
        return ListedRuns([self._config(side, at) for at in places for side in sides]) if places else None

    def _step(self, seen: int, sides: int, threads: int) -> int:
        """How many seeds to add: as many as an answer takes at least, as keep the threads busy, and a fifth more."""
        least = looks.fewest_pairs(len(self.pairs)) - seen
        return max(least, math.ceil(RUNS_PER_THREAD * threads / sides), seen // 5)

    def _open(self, samples: Mapping[str, Floats]) -> list[Pair]:
        """The pairs without an answer; all of them while some have no seed."""
        if not all(d.size for d in samples.values()):
            return list(self.pairs)
        found = looks.first_answers(samples, ALPHA, self.margin)
        return [pair for pair in self.pairs if found[pair.key].answer == "undecided"]

    def differences(self, store: Store) -> dict[str, Floats]:
        """Return each pair's differences on the leading seeds that both sides have a stored run on."""
        sides = dict.fromkeys(side for pair in self.pairs for side in (pair.newcomer, pair.rival))
        ids = {side: [self._config(side, at).run_id for at in range(self.cap)] for side in sides}
        rows = store.rows_of([run_id for some in ids.values() for run_id in some], ("state", REPORTED["final"]))
        return {pair.key: self._differences(pair, ids, rows) for pair in self.pairs}

    def _differences(self, pair: Pair, ids: Mapping[Side, Sequence[str]], rows: Mapping[str, Row]) -> Floats:
        mine, theirs = (ids[side] for side in (pair.newcomer, pair.rival))
        stored = [a in rows and b in rows for a, b in zip(mine, theirs, strict=True)]
        count = stored.index(False) if False in stored else len(stored)
        first, second = ([pair.measure.value(rows[one]) for one in some[:count]] for some in (mine, theirs))
        return paired.differences(first, second, pair.measure.higher_is_better)

    def verdicts(self, store: Store) -> list[Judged]:
        """Return what the seeds so far have shown of each pair; nothing while some have none."""
        samples = self.differences(store)
        if not all(d.size for d in samples.values()):
            return []
        judged = looks.judge(samples, self.family, "", ALPHA, self.margin)
        return [self._judged(pair, judged[pair.key], samples[pair.key]) for pair in self.pairs]

    @property
    def family(self) -> str:
        """What Holm corrects over, as "25 comparisons: soft_sign against 25 on 1 problem"."""
        who = ", ".join(dict.fromkeys(pair.newcomer.name for pair in self.pairs))
        rivals = len({pair.rival.name for pair in self.pairs})
        problems = counted(len({pair.problem for pair in self.pairs}), "problem")
        return f"{counted(len(self.pairs), 'comparison')}: {who} against {rivals} on {problems}"

    def _judged(self, pair: Pair, verdict: Verdict, d: Floats) -> Judged:
        verdict = replace(verdict, unit=pair.measure.unit)
        names = pair.newcomer.name, pair.rival.name
        compared = Compared(*names, pair.problem, "seeds", len(self.pairs), verdict)
        seen = slice(verdict.pairs)
        return Judged(
            compared,
            pair.newcomer.entry,
            pair.measure,
            tuple(seed for seed, _ in self.seeds[seen]),
            tuple(d[seen].tolist()),
        )
