"""The runs of each competitor's best setting, as the plan of its study chose it: on validation data of tuning runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpjit.config.fields import SETTING, columns_of
from mlpjit.statistics import selection
from mlpjit.statistics.selection import Setting

Row = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Plan:
    """What a study's plan says of its competitors; `study` is its canonical form."""

    study: Mapping[str, Any]

    @property
    def per(self) -> tuple[str, ...]:
        """The columns that its final stage has the best settings of; none without one."""
        return columns_of((self.study.get("final") or {}).get("per", ()))

    @property
    def repeats(self) -> int:
        """How often it is tuned."""
        return int((self.study.get("tuning") or {}).get("repeats", 1))

    @property
    def classified(self) -> Sequence[str]:
        """The user's own datasets that have classes, as tables call them."""
        found: Sequence[str] = self.study.get("classified", ())
        return found

    @property
    def runs_each(self) -> int:
        """How many final runs report a choice: a repetition's share of the seeds."""
        return len((self.study.get("final") or {}).get("seeds", ())) // self.repeats

    def competitor(self, row: Row, column: str) -> Any:
        """Return the value of a column that competes: of a setting that is tuned in a spec, without what is tuned."""
        label = row.get(column)
        found = self.study.get("settings", {}).get(column, {}).get(label)
        return None if label != label else label if found is None else found["competitor"]

    def key(self, row: Row, columns: Sequence[str]) -> Key:
        """Return the values of some columns that compete."""
        return tuple(self.competitor(row, column) for column in columns)

    def repetitions(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Divide tuning and final rows among the repetitions, each by its share of the seeds."""
        if self.repeats == 1:
            return [list(rows)]
        final = self.study["final"]["seeds"]
        tuning = self.study["tuning"]["seeds"]
        seeds = {"tune": tuning, "dropped": tuning, "final": final, "default": final}
        of = {
            (stage, seed): at * self.repeats // len(some)
            for stage, some in seeds.items() for at, seed in enumerate(some)
        }  # fmt: skip
        parts: list[list[Row]] = [[] for _ in range(self.repeats)]
        for row in rows:
            parts[of[row["stage"], row["seed"]]].append(row)
        return parts


def stage(rows: Sequence[Row], name: str) -> list[Row]:
    """Return the rows of a stage."""
    return [row for row in rows if row["stage"] == name]


@dataclass(frozen=True)
class Choice:
    """A competitor's best setting on a problem: how it did in tuning, and the runs that report it."""

    setting: Setting
    tuned: list[Row]
    members: list[Row]


def best(
    plan: Plan, rows: Sequence[Row], groups: Sequence[str], from_final: bool
) -> tuple[dict[Key, Choice], dict[Key, int]]:
    """Return the choice of each group; where final runs report, the best setting that has some.

    And how many final runs of the best setting lack, by group, where some do: the stage is not at its end. `rows` are
    of one repetition, of all stages.
    """
    tuning = stage(rows, "tune")
    finals: dict[Key, list[Row]] = {}
    for row in stage(rows, "final") if from_final else ():
        finals.setdefault(plain_key(row, SETTING), []).append(row)
    found: dict[Key, Choice] = {}
    lacking: dict[Key, int] = {}
    for setting in selection.settings(tuning, SETTING):
        tuned = [tuning[at] for at in setting.members]
        group = plan.key(tuned[0], groups)
        if group in found:
            continue
        members = finals.get(plain_key(tuned[0], SETTING), []) if from_final else tuned
        lacking.setdefault(group, plan.runs_each - len(members) if from_final else 0)
        if members:
            found[group] = Choice(setting, tuned, members)
    return found, {group: count for group, count in lacking.items() if count > 0}


def plain_key(row: Row, columns: Sequence[str]) -> Key:
    """A row's values as a key; a width that is not there is NaN in frames, which differs from itself."""
    values = (row.get(name) for name in columns)
    return tuple(None if value != value else value for value in values)
