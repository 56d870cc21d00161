"""How each competitor was tuned: settings, choices, edges, what tuning was worth, what a smaller budget would do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlpjit.comparison import names
from mlpjit.comparison.choosing import Choice, Plan, Row, best
from mlpjit.comparison.edges import at_edges
from mlpjit.comparison.reported import Reported, sample
from mlpjit.comparison.scores import Measure
from mlpjit.config.fields import PROBLEM, SETTING
from mlpjit.statistics import paired, selection
from mlpjit.statistics.best_of_k import expected_best
from mlpjit.statistics.verdict import Verdict, verdicts


@dataclass(frozen=True)
class Tuning:
    """One competitor on one problem.

    `settings` counts those of one tuning, `chosen` has what varies in the setting that each repetition chose, `edges`
    the numbers of it at an end of what was tried. `default` and `tuned` are mean scores on the final seeds; `gain` is
    judged by the test of any pair, positive where tuned is better. `best_of` is the expected score of the best of
    k = 1, 2, ... settings.
    """

    competitor: str
    problem: str
    settings: int
    chosen: list[dict[str, Any]]
    edges: list[dict[str, str]]
    tuned: float
    default: float | None
    gain: Verdict | None
    unit: str
    best_of: list[float]

    @property
    def overtuned(self) -> bool | None:
        """Whether tuned is worse than the default on test data; None where there is no default."""
        return None if self.gain is None else self.gain.estimate < 0

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = {
            "competitor": self.competitor, "problem": self.problem, "settings": self.settings, "chosen": self.chosen,
            "edges": self.edges, "tuned": self.tuned, "default": self.default, "unit": self.unit,
            "overtuned": self.overtuned, "best_of": self.best_of,
        }  # fmt: skip
        if self.gain is not None:
            found |= {"gain": self.gain.estimate, "low": self.gain.low, "high": self.gain.high,
                      "p": self.gain.p, "corrected_p": self.gain.corrected_p, "answer": self.gain.answer}  # fmt: skip
        return found


def tunings(rows: Sequence[Row], study: Mapping[str, Any], found: Reported) -> list[Tuning]:
    """Return how every competitor was tuned on every problem, in the order of what was reported."""
    plan, columns = Plan(study), found.by
    groups = tuple(dict.fromkeys((*PROBLEM, *columns)))
    parts = plan.repetitions(rows)
    reports = found.stage == "final"
    choices = [best(plan, part, groups, reports)[0] for part in parts]
    firsts = {key: choice.tuned[0] for some in choices for key, choice in some.items()}
    called = names.problems(firsts.values())
    by_group = [_grouped(plan, part, groups) for part in parts]
    tuned = {}
    for key, row in firsts.items():
        of = called[row["dataset"], row["loss"]], names.competitor(columns, plan.key(row, columns))
        made = [(some.get(key), group.get(key, {})) for some, group in zip(choices, by_group, strict=True)]
        tuned[of] = _tuning(plan, of, made, found.measures[of[0]], plan.runs_each if reports else 1)
    return _judged([tuned[problem, name] for problem, some in found.scores.items() for name in some])


Group = dict[str, list[Row]]  # the rows of a problem and competitor in one repetition, by stage


def _grouped(plan: Plan, rows: Sequence[Row], groups: Sequence[str]) -> dict[Any, Group]:
    found: dict[Any, Group] = {}
    for row in rows:
        found.setdefault(plan.key(row, groups), {}).setdefault(row["stage"], []).append(row)
    return found


@dataclass(frozen=True)
class _Sampled:
    """A tuning whose gain is not judged yet."""

    tuning: Tuning
    differences: paired.Floats


def _tuning(
    plan: Plan, of: tuple[str, str], repetitions: Sequence[tuple[Choice | None, Group]], measured: Measure, whole: int
) -> _Sampled:
    """Tell how one was tuned, of every repetition its choice, None where no run reports one yet, and all its rows.

    whole: how many runs report a choice at least, see `sample`; a default has final runs alone.
    """
    made = [(choice.tuned[0], group) for choice, group in repetitions if choice]
    tried = [[*group["tune"], *group.get("dropped", [])] for _, group in made]
    varying = [name for name in SETTING if len({row.get(name) for rows in tried for row in rows}) > 1]
    settings = [selection.settings(rows, varying) for rows in tried]
    tuned = sample([choice.members if choice else [] for choice, _ in repetitions], measured, whole)
    default = sample([group.get("default", []) for _, group in repetitions], measured, plan.runs_each)
    shared = sorted(key for key in default if key in tuned)
    differences = paired.differences(
        [tuned[key] for key in shared], [default[key] for key in shared], measured.higher_is_better
    )
    firsts = [row for row, _ in made]
    return _Sampled(Tuning(
        of[1], of[0], max(map(len, settings)), [{name: row.get(name) for name in varying} for row in firsts],
        [at_edges(plan, row, rows) for row, rows in zip(firsts, tried, strict=True)], _mean(tuned.values()),
        _mean(default.values()) if shared else None, None, measured.unit, _curve(settings, tried, measured),
    ), differences)  # fmt: skip


def _mean(scores: Any) -> float:
    found = list(scores)
    return math.fsum(found) / len(found) if found else math.nan


def _curve(
    settings: Sequence[Sequence[selection.Setting]], tried: Sequence[Sequence[Row]], measured: Measure
) -> list[float]:
    """Return the expected best of k settings, the mean over repetitions: chosen by validation loss, scored as reported.

    Scores are of the tuning runs, the mean of a setting's; a setting that lost a run is lost.
    """
    sign = -1.0 if measured.higher_is_better else 1.0
    curves = []
    for some, rows in zip(settings, tried, strict=True):
        scores = [_mean(measured.value(rows[at]) for at in setting.members) for setting in some]
        curves.append(expected_best([sign * each.median for each in some], scores, measured.higher_is_better))
    shortest = min(map(len, curves))
    return [float(value) for value in np.mean([curve[:shortest] for curve in curves], axis=0)]


def _judged(found: Sequence[_Sampled]) -> list[Tuning]:
    """Judge all gains as one family."""
    samples = {str(at): each.differences for at, each in enumerate(found) if each.differences.size}
    family = f"{len(samples)} defaults"
    judged = verdicts(samples, family, "") if samples else {}
    return [
        replace(each.tuning, gain=replace(judged[str(at)], unit=each.tuning.unit)) if str(at) in judged else each.tuning
        for at, each in enumerate(found)
    ]


def overtuning(found: Sequence[Tuning]) -> tuple[int, int]:
    """Return how many of the competitors and problems are worse tuned than at their default, and of how many."""
    told = [each.overtuned for each in found if each.overtuned is not None]
    return sum(told), len(told)


def unequal(found: Sequence[Tuning]) -> dict[str, list[int]]:
    """Return each competitor's numbers of settings where they are not the same; empty where all have as many."""
    counts: dict[str, set[int]] = {}
    for each in found:
        counts.setdefault(each.competitor, set()).add(each.settings)
    if len({frozenset(some) for some in counts.values()}) == 1:
        return {}
    return {name: sorted(some) for name, some in counts.items()}


def remarks(found: Sequence[Tuning]) -> list[str]:
    """Say what a reader must know of the tuning: unequal numbers of settings, choices at an edge, overtuning."""
    parts = []
    if counts := unequal(found):
        listed = ", ".join(f"{name} {' or '.join(map(str, some))}" for name, some in counts.items())
        parts.append(f"settings to choose from are unequal, and the best of more is better by luck alone: {listed}")
    if ends := _ends(found):
        parts.append(f"at the edge of what was tried, so that better may lie beyond: {'; '.join(ends)}")
    worse, count = overtuning(found)
    if count:
        of = f"{count} tuned competitors" + (", counted on each problem," if _several(found) else "")
        parts.append(f"overtuning: {worse} of {of} are worse on test data than their untuned default")
    return parts


def _several(found: Sequence[Tuning]) -> bool:
    return len({each.problem for each in found}) > 1


def _ends(found: Sequence[Tuning]) -> list[str]:
    """Return whose numbers are at which edge: on which problems, and where tuning is repeated how often."""
    where: dict[tuple[str, str], list[str]] = {}
    for each in found:
        counts = Counter(end for some in each.edges for end in some.items())
        for (name, edge), count in sorted(counts.items()):
            often = f" in {count} of {len(each.edges)} repetitions" if len(each.edges) > 1 else ""
            where.setdefault((each.competitor, f"{name} {edge}{often}"), []).append(each.problem)
    shown = _several(found)
    return [f"{who}: {what}" + (f" ({', '.join(some)})" if shown else "") for (who, what), some in where.items()]
