"""Pairs of runs on fresh seeds, added until it is certain who is better: newcomers against the rivals of a study.

Each side runs at its best setting of the problem. The seeds are the study's final ones, then those that follow; runs
that the store holds are not made again. Seeds are looked at in their order (`statistics/looks.py`), so a verdict
depends on stored results alone: not on how many runs were made at once, when, or by how many calls.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mlpjit.comparison import names
from mlpjit.comparison.compare import ALPHA, Compared, counted
from mlpjit.comparison.scores import REPORTED, Measure, measure
from mlpjit.config.fields import PROBLEM, SEED_FIELDS, SETTING, columns_of
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.statistics import looks, paired
from mlpjit.statistics.paired import Floats
from mlpjit.statistics.verdict import Verdict
from mlpjit.store import Store
from mlpjit.study.choice import Known
from mlpjit.study.plan import ListedRuns, Runs, best_members

CAP = 100  # seeds: an effect of half a standard deviation is found within 83 in 9 of 10 comparisons
RUNS_PER_THREAD = 8  # in a batch: no core waits long for the last ones, and few are made beyond a verdict's look
MOST_SEED = 2**31
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Side:
    """A competitor at its best setting of a problem: `index` is a tuning run of it."""

    name: str
    optimizer: str
    index: int
    rest: tuple[Any, ...]  # what else the competitor is a value of, besides its optimizer


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


def pairs_of(runs: Runs, known: Known, per: str | Sequence[str], tried: Sequence[str]) -> list[Pair]:
    """Return every newcomer beside every rival, problem by problem.

    Where competitors are values of several columns, those of which all but the optimizer agree are paired.
    """
    members = best_members(runs, known, per)
    configs = [runs.config(index) for index in members]
    rows = [config.factors() for config in configs]
    problems = names.problems(rows)
    sides: dict[tuple[Any, Any], tuple[list[Side], list[Side]]] = {}
    for index, config, row in zip(members, configs, rows, strict=True):
        columns = columns_of(per)
        side = Side(
            names.competitor(columns, [row[name] for name in columns]),
            config.optimizer["name"],
            index,
            tuple(row[name] for name in columns if name not in ("optimizer", *PROBLEM)),
        )
        own, rivals = sides.setdefault((row["dataset"], row["loss"]), ([], []))
        (own if config.optimizer["name"] in tried else rivals).append(side)
    return [
        Pair(mine, other, problems[problem], measure(REPORTED["final"], *problem))
        for problem, (own, rivals) in sides.items()
        for mine, other in itertools.product(own, rivals)
        if mine.rest == other.rest
    ]


def count_settings(runs: Runs, per: str | Sequence[str]) -> dict[str, int]:
    """Return over how many settings each competitor is tuned on a problem, on the one with the most of them."""
    columns = {name: runs.column(name) for name in SETTING}
    counts = Counter(
        tuple(setting[SETTING.index(name)] for name in (*PROBLEM, *columns_of(per)))
        for setting in set(zip(*columns.values(), strict=True))
    )
    found: dict[str, int] = {}
    for (_, _, *values), count in counts.items():
        name = names.competitor(columns_of(per), values)
        found[name] = max(count, found.get(name, 0))
    return found


def best_settings(runs: Runs, known: Known, per: str | Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return by competitor and problem what varies of its best setting."""
    rows = [runs.config(index).factors() for index in best_members(runs, known, per)]
    problems, columns = names.problems(rows), columns_of(per)
    told = [name for name in SETTING if name not in (*PROBLEM, *columns, "hidden") and runs.varies(name)]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        name = names.competitor(columns, [row[each] for each in columns])
        found.setdefault(name, {})[problems[row["dataset"], row["loss"]]] = {each: row[each] for each in told}
    return found


def fresh_seeds(runs: Runs, final: Sequence[int], count: int) -> list[int]:
    """Return the final seeds, then those that follow and took no part in tuning: `count` of them."""
    taken = {seed for name in SEED_FIELDS for seed in runs.column(name)}
    start = 1 + max(final or taken, default=0)
    others = (number % MOST_SEED for number in itertools.count(start))
    return list(itertools.islice(itertools.chain(final, (s for s in others if s not in {*taken, *final})), count))


@dataclass(frozen=True)
class Judged:
    """A verdict with what it rests on: the seeds in their order, and the difference on each."""

    compared: Compared
    optimizer: str
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
    def seeds(self) -> list[int]:
        """The seeds in the order in which they are looked at."""
        return fresh_seeds(self.runs, self.final, self.cap)

    @cached_property
    def _configs(self) -> dict[tuple[int, int], RunConfig]:
        return {}

    def _config(self, side: Side, at: int) -> RunConfig:
        """The run of a side on a seed, made once."""
        if (side.index, at) not in self._configs:
            self._configs[side.index, at] = self.runs.with_seed(side.index, self.seeds[at])
        return self._configs[side.index, at]

    def batch(self, store: Store, threads: int) -> ListedRuns | None:
        """Return the runs that the next looks need; None once all is certain or the cap is reached."""
        samples = self.differences(store)
        is_open = self._open(samples)
        if not is_open:
            return None
        seen = min(samples[pair.key].size for pair in is_open)
        sides = list({side.index: side for pair in is_open for side in (pair.newcomer, pair.rival)}.values())
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
        sides = {side.index: side for pair in self.pairs for side in (pair.newcomer, pair.rival)}
        ids = {index: [self._config(side, at).run_id for at in range(self.cap)] for index, side in sides.items()}
        rows = store.rows_of([run_id for some in ids.values() for run_id in some], ("state", REPORTED["final"]))
        return {pair.key: self._differences(pair, ids, rows) for pair in self.pairs}

    def _differences(self, pair: Pair, ids: Mapping[int, Sequence[str]], rows: Mapping[str, Row]) -> Floats:
        mine, theirs = (ids[side.index] for side in (pair.newcomer, pair.rival))
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
        return Judged(compared, pair.newcomer.optimizer, pair.measure, tuple(self.seeds[seen]), tuple(d[seen].tolist()))
