"""Races of a study with `[tuning] race = true`: which tuning runs are still worth making, and what that saved.

Each problem and competitor has a race of its own, over whole runs, seed after seed (`statistics/race.py`). The store is
the memory: a race is replayed from it whenever it is asked how things stand, so that who interrupts and resumes, or has
more threads, gets the same decisions. Where the settings of a race have not the same seeds, all of them run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlpjit.comparison import names
from mlpjit.config.fields import PROBLEM, SEED_FIELDS, SETTING, columns_of
from mlpjit.config.identity import digest
from mlpjit.statistics.race import Race, race
from mlpjit.store import Store
from mlpjit.study.choice import Known
from mlpjit.study.competitors import Called

Label = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Raced:
    """The race of one competitor on one problem: `runs` has a run's index for each setting and seed.

    `label` is (problem, competitor, repetition of the tuning).
    """

    label: Label
    runs: npt.NDArray[np.intp]
    losses: npt.NDArray[np.float64]
    stored: npt.NDArray[np.bool_]
    state: Race

    @property
    def needed(self) -> list[int]:
        """The runs that its next look lacks, seed after seed."""
        return [int(index) for index in self.runs.T[self.state.needed.T]]

    @property
    def out(self) -> list[int]:
        """The runs of the settings that were dropped and are not audited: they take no part in the choice."""
        return [int(index) for index in self.runs[~self.state.to_the_end].ravel()]

    @property
    def made_in_vain(self) -> list[int]:
        """Those of them that were made."""
        return [int(index) for index in self.runs[~self.state.to_the_end[:, None] & self.stored]]

    @property
    def regret(self) -> float | None:
        """By how much the best audited setting has the lower median loss than the best that was left, 0 at least.

        None before the end, and where nothing was dropped.
        """
        if not self.state.has_ended or not self.state.is_audited.any():
            return None
        medians = np.median(self.losses, axis=1)
        left, audited = (medians[mask].min() for mask in (self.state.dropped == 0, self.state.is_audited))
        return max(0.0, float(left - audited)) if audited < left else 0.0


@dataclass(frozen=True, eq=False)
class Grid:
    """What races of one competitor on one problem: `draws` has a number for each setting, whatever its results."""

    label: Label
    runs: npt.NDArray[np.intp]
    draws: Sequence[float]

    def raced(self, run_ids: Sequence[str], known: Known) -> Raced:
        """Return how far its race is, from what is stored."""
        found = [[known.get(run_ids[index]) for index in row] for row in self.runs]
        stored = np.array([[one is not None for one in row] for row in found])
        losses = np.array([[_loss(one) for one in row] for row in found])
        return Raced(self.label, self.runs, losses, stored, race(losses, stored, self.draws))


class Columns(Protocol):
    """What races ask of a study's tuning runs."""

    def column(self, name: str) -> list[Any]:
        """Return a factor of every run."""

    def varies(self, name: str) -> bool:
        """Whether a factor takes several values."""


def grids(runs: Columns, per: str | Sequence[str], called: Called, repetitions: Sequence[Sequence[int]]) -> list[Grid]:
    """Return what races in a study: settings of one competitor, a value of `per`, on one problem.

    `called` names the competitors of tuned specs; each repetition of the tuning, by its seeds, has races of its own.
    """
    compared = columns_of(per)
    columns = {name: runs.column(name) for name in SETTING if name in (*PROBLEM, *compared) or runs.varies(name)}
    pairs = list(zip(*(columns[name] for name in PROBLEM), strict=True))
    problems = names.problems(dict(zip(PROBLEM, pair, strict=True)) for pair in dict.fromkeys(pairs))
    values = ([called.get(name, {}).get(value, value) for value in columns[name]] for name in compared)
    rivals = [names.competitor(compared, each) for each in zip(*values, strict=True)]
    repetition = {seed: at for at, seeds in enumerate(repetitions) for seed in seeds}
    turns = [repetition.get(seed, 0) for seed in runs.column("seed")]
    labels = [(problems[pair], rival, turn) for pair, rival, turn in zip(pairs, rivals, turns, strict=True)]
    return grouped(columns, {name: runs.column(name) for name in SEED_FIELDS}, labels)


def grouped(
    settings: Mapping[str, Sequence[Any]], seeds: Mapping[str, Sequence[Any]], labels: Sequence[Label]
) -> list[Grid]:
    """Return the grids of runs, given what varies of their settings, their seeds, and who they race for."""
    keys, rows = (list(zip(*columns.values(), strict=True)) for columns in (seeds, settings))
    members: dict[Label, dict[Label, dict[Label, int]]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, {}).setdefault(rows[index], {})[keys[index]] = index
    return [_grid(label, list(settings), some) for label, some in members.items() if _is_fair(some)]


def _is_fair(members: Mapping[Label, Mapping[Label, int]]) -> bool:
    """Whether all settings have the same seeds, in the same order."""
    return len({tuple(seeds) for seeds in members.values()}) == 1


def _grid(label: Label, columns: Sequence[str], members: Mapping[Label, Mapping[Label, int]]) -> Grid:
    runs = np.array([list(seeds.values()) for seeds in members.values()], dtype=np.intp)
    return Grid(label, runs, [_draw(dict(zip(columns, values, strict=True))) for values in members])


def _loss(found: tuple[str, float | None, float | None] | None) -> float:
    state, _, loss = found or ("missing", None, None)
    return math.inf if state != "done" or loss is None else loss


def _draw(setting: Mapping[str, Any]) -> float:
    """A number in 0..1 that a setting has whatever its results, from a hash of its values."""
    return int(digest(f"audit {json.dumps(setting, sort_keys=True, default=str)}"), 16) / 16.0**16


def dropped(raced: Sequence[Raced]) -> set[int]:
    """Return the runs of all settings that were dropped and not audited, made or not."""
    return {index for one in raced for index in one.out}


def left_to_run(raced: Sequence[Raced], missing: Sequence[int], run_ids: Sequence[str], known: Known) -> list[int]:
    """Return which of the missing runs are worth making now: of a race those that its next look lacks."""
    racing, out = {int(index) for one in raced for index in one.runs.ravel()}, dropped(raced)
    needed = {index for one in raced for index in one.needed}
    return [
        index
        for index in missing
        if index not in racing or index in needed or (index not in out and run_ids[index] in known)
    ]


def taking_part(raced: Sequence[Raced], run_ids: Sequence[str], known: Known) -> Known:
    """Return what is known without the settings that were dropped: of these nothing can be chosen."""
    out = {run_ids[index] for index in dropped(raced)}
    return {run_id: found for run_id, found in known.items() if run_id not in out} if out else known


def records(raced: Sequence[Raced], run_ids: Sequence[str], store: Store) -> list[dict[str, Any]]:
    """Return what each race did, as plain data: settings, how many of them were dropped and audited, gradients.

    `gradients` were taken, `grid_gradients` would have been without racing; `regret` is `Raced.regret`, of a competitor
    that was tuned repeatedly the largest.
    """
    found: dict[Label, dict[str, Any]] = {}
    for one in raced:
        ids = [run_ids[int(index)] for index in one.runs.ravel()]
        gradients = {run_id: row["gradients"] for run_id, row in store.rows_of(ids, ("gradients",)).items()}
        took, grid = saved(one, {int(i): gradients.get(run_ids[int(i)]) for i in one.runs.ravel()})
        counts = {
            "settings": len(one.runs), "seeds": one.runs.shape[1], "dropped": int(np.count_nonzero(one.state.dropped)),
            "audited": int(np.count_nonzero(one.state.is_audited)), "gradients": took, "grid_gradients": grid,
        }  # fmt: skip
        problem, competitor, _ = one.label
        row = found.setdefault((problem, competitor), {"competitor": competitor, "problem": problem, "regret": None})
        row |= {name: row.get(name, 0) + count for name, count in counts.items()}
        row["regret"] = max((r for r in (row["regret"], one.regret) if r is not None), default=None)
    return list(found.values())


def saved(raced: Raced, gradients: Mapping[int, float | None]) -> tuple[float, float]:
    """Return how many gradients a race took, and how many the whole grid would have, given those of the runs made.

    A run that was not made, or failed, would have taken as many as its setting's longest.
    """
    counts = np.array([[gradients.get(int(index)) or 0.0 for index in row] for row in raced.runs], dtype=np.float64)
    most = np.broadcast_to(counts.max(axis=1, keepdims=True), counts.shape)
    return float(counts.sum()), float(np.where(counts > 0, counts, most).sum())
