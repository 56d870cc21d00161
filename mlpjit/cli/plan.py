"""`mlpjit plan STUDY`: what a run of the study would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlpjit.cli.options import Categorical, Data, Drop, Missing, Target, data_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlpjit.comparison.design import Claims
    from mlpjit.study.estimate import Estimate


def plan(
    study: Annotated[str, typer.Argument(help="A built-in study or a TOML file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the results [results/<study>].")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Runs at once; all CPUs without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    target: Target = None,
    drop: Drop = None,
    categorical: Categorical = None,
    missing: Missing = None,
) -> None:
    """Check a study and show its runs, which are stored, what the rest will take, and what it can claim at all."""
    from dataclasses import asdict

    from mlpjit.cli.tables import dump, listed
    from mlpjit.comparison.design import claims
    from mlpjit.study.estimate import competing, estimate
    from mlpjit.study.pool import thread_count
    from mlpjit.study.study import Study

    loaded = Study.load(study, data_spec(data, target, drop, categorical, missing))
    found = estimate(loaded, loaded.directory(out), thread_count(threads))
    rivals = competing(loaded)
    sample = "seeds" if loaded.tuning["repeats"] == 1 else "repetitions"
    claimed = claims([len(some) for some in rivals.values()], loaded.pairs, sample)
    if as_json:
        settings = [{"dataset": data, "loss": loss, "settings": some} for (data, loss), some in rivals.items()]
        told = [{**asdict(one), "possible": one.possible} for one in claimed]
        print(dump({**asdict(found), "data": loaded.told(), "competitors": settings, "claims": told}))
        return
    rows = [*_rows(found, loaded.told()), *_settings(rivals), *_claimed(claimed, sample)]
    print(listed(("what", "value"), rows))


def _rows(found: Estimate, told: Sequence[str]) -> list[tuple[str, str]]:
    """What is planned, a line each; `told` is what there is to tell of the data."""
    from mlpjit.cli.tables import counted, seconds

    basis = ", ".join(f"{name} {seconds(spent)}" for name, spent in found.parts.items() if spent)
    measured = ", by stored runs" if found.measured else ""
    rows = [
        ("study", found.study),
        *(("data" if place == 0 else "", line) for place, line in enumerate(told)),
        ("runs", f"{found.total:,} ({_kinds(found)})"),
        ("stored", f"{found.cached:,}"),
        ("new", f"{found.new:,}"),
        ("training steps", f"{found.steps:,}"),
        ("time", f"{seconds(found.seconds)} on {counted(found.threads, 'thread')}{measured} ({basis})"),
        ("memory", f"{found.memory_bytes / 1e6:,.0f} MB"),
    ]
    if found.duplicates:
        rows.insert(2, ("duplicates", f"{found.duplicates:,} left out: the same run in several blocks"))
    if found.races:
        rows.append(("racing", "these are upper bounds: settings that are certainly not the best run no more"))
    if found.step_timings:
        rows.append(("step times", f"{found.step_timings:,}"))
    return rows


def _claimed(claimed: Sequence[Claims], sample: str) -> list[tuple[str, str]]:
    """What the final seeds, or repetitions, can claim at all."""
    from mlpjit.statistics.signflip import smallest_p

    if not claimed:
        return []
    smallest = f"smallest p = {smallest_p(claimed[0].pairs):.2g}; corrected by Holm, at 5 %:"
    pairs = (f"final {sample}", f"{claimed[0].pairs}, {smallest}")
    return [pairs, *((f"  {one.family}", one.words) for one in claimed)]


def _kinds(found: Estimate) -> str:
    """How many runs there are of what."""
    kinds = {"tuning": found.tuning_runs, "final": found.final_runs, "default": found.default_runs}
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count or kind != "default")


def _settings(rivals: Mapping[Any, Mapping[str, int]]) -> list[tuple[str, str]]:
    """How many settings each competitor may choose from, one number where all have as many."""
    found: dict[str, set[int]] = {}
    for some in rivals.values():
        for name, count in some.items():
            found.setdefault(name, set()).add(count)
    counts = set().union(*found.values())
    if len(counts) < 2:
        return [("settings", f"{count:,} for each of {len(found)} competitors") for count in counts]
    told = {name: " or ".join(f"{count:,}" for count in sorted(some)) for name, some in found.items()}
    return [
        ("settings", "unequal, so the best of more is among those with more:"),
        *((f"  {n}", t) for n, t in told.items()),
    ]
