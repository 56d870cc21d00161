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
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.config.fields import SEED_FIELDS
from mlpjit.config.identity import digest
from mlpjit.statistics.race import Race, race
from mlpjit.study.choice import Known

Label = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Raced:
    """The race of one problem and competitor, `label`: `runs` has a run's index for each setting and seed."""

    label: Label
    runs: npt.NDArray[np.intp]
    losses: npt.NDArray[np.float64]
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
    def regret(self) -> float | None:
        """By how much the best audited setting has the lower median loss than the best that was left, 0 at least.

        None before the end, and where nothing was dropped.
        """
        if not self.state.has_ended or not self.state.is_audited.any():
            return None
        medians = np.median(self.losses, axis=1)
        left, audited = (medians[mask].min() for mask in (self.state.dropped == 0, self.state.is_audited))
        return max(0.0, float(left - audited)) if audited < left else 0.0


def races(
    settings: Mapping[str, Sequence[Any]],
    seeds: Mapping[str, Sequence[Any]],
    labels: Sequence[Label],
    run_ids: Sequence[str],
    known: Known,
) -> list[Raced]:
    """Return the races of tuning runs, given what varies of their settings, their seeds, and who they race for."""
    keys = list(zip(*(seeds[name] for name in SEED_FIELDS), strict=True))
    rows = list(zip(*settings.values(), strict=True))
    members: dict[Label, dict[Label, dict[Label, int]]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, {}).setdefault(rows[index], {})[keys[index]] = index
    return [_raced(label, list(settings), some, run_ids, known) for label, some in members.items() if _is_fair(some)]


def _is_fair(members: Mapping[Label, Mapping[Label, int]]) -> bool:
    """Whether all settings have the same seeds, in the same order."""
    return len({tuple(seeds) for seeds in members.values()}) == 1


def _raced(
    label: Label, names: Sequence[str], members: Mapping[Label, Mapping[Label, int]], run_ids: Sequence[str],
    known: Known,
) -> Raced:  # fmt: skip
    runs = np.array([list(seeds.values()) for seeds in members.values()], dtype=np.intp)
    found = [[known.get(run_ids[index]) for index in row] for row in runs]
    stored = np.array([[one is not None for one in row] for row in found])
    losses = np.array([[_loss(one) for one in row] for row in found])
    draws = [_draw(dict(zip(names, values, strict=True))) for values in members]
    return Raced(label, runs, losses, race(losses, stored, draws))


def _loss(found: tuple[str, float | None, float | None] | None) -> float:
    state, _, loss = found or ("missing", None, None)
    return math.inf if state != "done" or loss is None else loss


def _draw(setting: Mapping[str, Any]) -> float:
    """A number in 0..1 that a setting has whatever its results, from a hash of its values."""
    return int(digest(f"audit {json.dumps(setting, sort_keys=True, default=str)}"), 16) / 16.0**16


def saved(raced: Raced, gradients: Mapping[int, float]) -> tuple[float, float]:
    """Return how many gradients a race took, and how many the whole grid would have, given those of the runs made.

    A run that was not made would have taken as many as its setting's others in the mean.
    """
    counts = np.array([[gradients.get(int(index), math.nan) for index in row] for row in raced.runs])
    means = np.nanmean(counts, axis=1, keepdims=True)
    return float(np.nansum(counts)), float(np.where(np.isnan(counts), means, counts).sum())
