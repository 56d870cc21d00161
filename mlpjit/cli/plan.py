"""`mlpjit plan STUDY`: what a run of the study would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlpjit.cli.options import Categorical, Data, Drop, Missing, Target, data_spec

if TYPE_CHECKING:
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

    from mlpjit.cli.tables import dump, table
    from mlpjit.comparison.design import claims
    from mlpjit.study.estimate import competitors, estimate
    from mlpjit.study.pool import thread_count
    from mlpjit.study.study import Study

    loaded = Study.load(study, data_spec(data, target, drop, categorical, missing))
    found = estimate(loaded, loaded.directory(out), thread_count(threads))
    claimed = claims(competitors(loaded), len(loaded.final["seeds"])) if loaded.final else []
    if as_json:
        print(
            dump(
                {
                    **asdict(found),
                    "data": loaded.told(),
                    "claims": [{**asdict(one), "possible": one.possible} for one in claimed],
                }
            )
        )
        return
    rows = [*_rows(found, loaded.told()), *_claimed(claimed)]
    print(table(("what", "value"), rows))


def _rows(found: Estimate, told: list[str]) -> list[tuple[str, str]]:
    """Return what is planned, a line each."""
    from mlpjit.cli.tables import seconds

    basis = "from stored runs" if found.measured else "cautious: nothing measured yet, compilation not counted"
    rows = [
        ("study", found.study),
        *(("data" if place == 0 else "", line) for place, line in enumerate(told)),
        ("runs", f"{found.total:,} ({found.tuning_runs:,} tuning, {found.final_runs:,} final)"),
        ("stored", f"{found.cached:,}"),
        ("new", f"{found.new:,}"),
        ("training steps", f"{found.steps:,}"),
        ("time", f"{seconds(found.seconds)} on {found.threads} threads ({basis})"),
        ("memory", f"{found.memory_bytes / 1e6:,.0f} MB"),
    ]
    if found.duplicates:
        rows.append(("duplicates", f"{found.duplicates:,} left out: the same run in several blocks"))
    if found.step_timings:
        rows.append(("step times", f"{found.step_timings:,}"))
    return rows


def _claimed(claimed: list[Claims]) -> list[tuple[str, str]]:
    """Return what the final seeds can claim at all."""
    from mlpjit.statistics.signflip import smallest_p

    if not claimed:
        return []
    smallest = f"smallest p = {smallest_p(claimed[0].pairs):.2g}; corrected by Holm, at 5 %:"
    return [("final seeds", f"{claimed[0].pairs}, {smallest}"), *((f"  {one.family}", one.words) for one in claimed)]
