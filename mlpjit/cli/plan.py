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
    """Check a study and show how many runs it has, which are stored already, and what the rest will take."""
    from dataclasses import asdict

    from mlpjit.cli.tables import dump, seconds, table
    from mlpjit.study.estimate import estimate
    from mlpjit.study.pool import thread_count
    from mlpjit.study.study import Study

    loaded = Study.load(study)
    found = estimate(loaded, loaded.directory(out), thread_count(threads))
    if as_json:
        print(dump(asdict(found)))
        return
    basis = "from stored runs" if found.measured else "cautious: nothing measured yet, compilation not counted"
    rows = [
        ("study", found.study),
        ("runs", f"{found.total:,} ({found.tuning_runs:,} tuning, {found.final_runs:,} final)"),
        ("stored", f"{found.cached:,}"),
        ("new", f"{found.new:,}"),
        ("training steps", f"{found.steps:,}"),
        ("time", f"{seconds(found.seconds)} on {found.threads} threads ({basis})"),
        ("memory", f"{found.memory_bytes / 1e6:,.0f} MB"),
    ]
    if found.duplicates:
        rows.insert(2, ("duplicates", f"{found.duplicates:,} left out: the same run in several blocks"))
    if found.step_timings:
        rows.append(("step times", f"{found.step_timings:,}"))
    print(table(("what", "value"), rows))
