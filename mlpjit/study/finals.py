"""The runs that report: of each problem and competitor the best setting, on fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence

from mlpjit.config.fields import SETTING, columns_of
from mlpjit.study.choice import Known, chosen, groups_of
from mlpjit.study.competitors import Called
from mlpjit.study.repetitions import split
from mlpjit.study.runs import ListedRuns, Runs


def best_members(
    runs: Runs, known: Known, per: str | Sequence[str], called: Called, repetitions: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Return, for each repetition of the tuning, a run of the best setting of each problem and value of `per`.

    `called` names the competitors of tuned specs; `repetitions` has the tuning seeds of each, which chooses by itself.
    """
    compared = columns_of(per)
    columns = {name: runs.column(name) for name in SETTING if name in compared or runs.varies(name)}
    groups = []
    for name in groups_of(per):
        if name in columns and name in called:
            columns[f"{name} tuned"] = [called[name].get(value, value) for value in columns[name]]
            groups.append(f"{name} tuned")
        elif name in columns:
            groups.append(name)
    return [
        [mine[at] for at in chosen({name: [column[index] for index in mine] for name, column in columns.items()},
                                   [runs.run_ids[index] for index in mine], known, groups)]
        for mine in shares(runs, repetitions)
    ]  # fmt: skip


def shares(runs: Runs, repetitions: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return the runs of each repetition of the tuning; all of them where it is not repeated."""
    if len(repetitions) < 2:
        return [range(len(runs))]
    used = runs.column("seed")
    return [[index for index, seed in enumerate(used) if seed in set(tuning)] for tuning in repetitions]


def final_runs(
    runs: Runs, known: Known, per: str | Sequence[str], seeds: Sequence[int], called: Called | None = None,
    repetitions: Sequence[Sequence[int]] = (),
) -> ListedRuns:  # fmt: skip
    """Return the best setting of each problem and value of `per`, chosen on the tuning runs, on fresh seeds.

    Each repetition of the tuning reports on its share of them.
    """
    members = best_members(runs, known, per, called or {}, repetitions)
    fresh = split(seeds, len(members))
    return ListedRuns([
        runs.with_seed(index, seed)
        for some, share in zip(members, fresh, strict=True) for index in some for seed in share
    ])  # fmt: skip
