"""`mlpjit plan STUDY`: what a run of the study would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plan(
    study: Annotated[str, typer.Argument(help="A built-in study or a TOML file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the results [results/<study>].")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Runs at once; all CPUs without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a study and show its runs, which are stored, what the rest will take, and what it can claim at all."""
    from dataclasses import asdict

    from mlpjit.cli.tables import counted, dump, seconds, table
    from mlpjit.comparison.design import claims
    from mlpjit.statistics.signflip import smallest_p
    from mlpjit.study.estimate import competitors, estimate
    from mlpjit.study.pool import thread_count
    from mlpjit.study.study import Study

    loaded = Study.load(study)
    found = estimate(loaded, loaded.directory(out), thread_count(threads))
    claimed = claims(competitors(loaded), len(loaded.final["seeds"])) if loaded.final else []
    if as_json:
        print(dump({**asdict(found), "claims": [{**asdict(one), "possible": one.possible} for one in claimed]}))
        return
    basis = ", ".join(f"{name} {seconds(spent)}" for name, spent in found.parts.items() if spent)
    told = ", by stored runs" if found.measured else ""
    rows = [
        ("study", found.study),
        ("runs", f"{found.total:,} ({found.tuning_runs:,} tuning, {found.final_runs:,} final)"),
        ("stored", f"{found.cached:,}"),
        ("new", f"{found.new:,}"),
        ("training steps", f"{found.steps:,}"),
        ("time", f"{seconds(found.seconds)} on {counted(found.threads, 'thread')}{told} ({basis})"),
        ("memory", f"{found.memory_bytes / 1e6:,.0f} MB"),
    ]
    if found.duplicates:
        rows.insert(2, ("duplicates", f"{found.duplicates:,} left out: the same run in several blocks"))
    if found.step_timings:
        rows.append(("step times", f"{found.step_timings:,}"))
    if claimed:
        rows.append(
            (
                "final seeds",
                f"{claimed[0].pairs}, smallest p = {smallest_p(claimed[0].pairs):.2g}; corrected by Holm, at 5 %:",
            )
        )
        rows += [(f"  {one.family}", one.words) for one in claimed]
    print(table(("what", "value"), rows))
