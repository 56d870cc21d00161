"""`mlpjit run STUDY`: the main job."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlpjit.cli.options import Categorical, Data, Drop, Force, Missing, Target, data_spec
from mlpjit.errors import ConfigError

if TYPE_CHECKING:
    from mlpjit.comparison.tries import Try
    from mlpjit.study.progress import Snapshot
    from mlpjit.study.study import Study
    from mlpjit.study.sweep import Found, Summary


def run(
    study: Annotated[str, typer.Argument(help="A built-in study or a TOML file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the results [results/<study>].")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Runs at once; all CPUs without it.")] = None,
    dask: Annotated[
        str | None, typer.Option("--dask", help="A Dask scheduler's address, or local:N for N processes here.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Run only: no figures, no page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    target: Target = None,
    drop: Drop = None,
    categorical: Categorical = None,
    missing: Missing = None,
    force: Force = False,
) -> None:
    """Make every run of a study that is not stored yet, then figures, tables and a page. Again: it resumes."""
    from mlpjit.training import compile_workers

    if dask is None:
        compile_workers.expect()
    from mlpjit.cli.progress import display, importing_ahead
    from mlpjit.study.signals import Interrupted
    from mlpjit.study.study import Study

    loaded = Study.load(study, data_spec(data, target, drop, categorical, missing))
    directory = loaded.directory(out)
    tell = functools.partial(_tell_what_is_there, loaded, directory)
    try:
        with display() as show:
            shown = show if no_report else importing_ahead(show)
            summary = _sweep(loaded, directory, threads, dask, shown, tell, force)
    except Interrupted as interrupted:
        where = "" if dask is None else f" --dask {shlex.quote(dask)}"
        raise Interrupted(f"{interrupted}\nresume with: {loaded.command(directory)}{where}") from None
    finish(summary, directory, no_report, as_json)


def _sweep(
    study: Study, directory: Path, threads: int | None, dask: str | None,
    show: Callable[[Snapshot], None], tell: Callable[[Found], None], force: bool,
) -> Summary:  # fmt: skip
    """Make what is missing with threads here, or on a cluster."""
    if dask is None:
        from mlpjit.study.sweep import sweep
        from mlpjit.study.using import runner_of

        with runner_of(study) as runner:
            return sweep(study, directory, threads, show, runner, tell, force)
    if threads is not None:
        raise ConfigError("--threads: with --dask, workers decide how many runs are made at once")
    if study.use:
        raise ConfigError("--dask: a study that names files of its own (`use`) runs on this machine alone")
    from mlpjit.cluster.running import sweep_on

    return sweep_on(dask, study, directory, show, tell, lambda line: print(line, file=sys.stderr), force)


def finish(summary: Summary, directory: Path, no_report: bool, as_json: bool, tries: Sequence[Try] = ()) -> None:
    """Say what was done, write figures and page, print the answer; exit code 1 where runs failed."""
    print(headline(summary), file=sys.stderr)
    for line in race_lines(summary.races):
        print(line, file=sys.stderr)
    answer = [] if no_report else _answer(directory)
    print(_json(summary, directory, answer, tries) if as_json else _text(directory, answer, no_report, tries))
    if summary.failed:
        _tell_failures(summary)
        raise typer.Exit(1)


def _tell_what_is_there(study: Study, directory: Path, found: Found) -> None:
    """Say what is trained on; and that a folder held another study, whose runs stay, or none that the plan needs."""
    from mlpjit.cli.tables import counted

    print("\n".join(study.told()), file=sys.stderr)
    name = study.name
    if found.study not in ("", name):
        told = f"its runs stay stored; figures, page and tables will show {name!r}"
        print(f"{directory} holds the study {found.study!r}: {told}", file=sys.stderr)
    elif found.runs and not found.planned:
        told = "their settings, or the version that made them, were others; they stay stored"
        print(f"{directory} holds {counted(found.runs, 'run')}, none of them of this plan: {told}", file=sys.stderr)


def headline(summary: Summary) -> str:
    """Return what was done in one line."""
    from mlpjit.cli.tables import counted, seconds

    states = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(summary.states.items()))
    besides = f" and {counted(summary.pairs, 'run')} in pairs" if summary.pairs else ""
    made = f"{summary.ran:,} made now{besides} in {seconds(summary.wall_seconds)}"
    made = made if summary.ran or summary.pairs else "nothing left to run"
    compiled = f", {seconds(summary.compile_seconds)} of it compiling" if summary.compile_seconds else ""
    return f"{counted(summary.total, 'run')} ({states}), {made}{compiled}"


def race_lines(races: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what racing did, a line for each competitor and problem."""
    lines = []
    for race in races:
        regret = "" if race["regret"] is None else f", regret {race['regret']:.2g}"
        saved = f"{1 - race['gradients'] / race['grid_gradients']:.0%} of gradients saved"
        dropped = f"{race['dropped']} of {race['settings']} settings dropped, {saved}"
        lines.append(f"{race['competitor']} on {race['problem']}: {dropped}, {race['audited']} audited{regret}")
    return lines


def _answer(directory: Path) -> list[dict[str, Any]]:
    from mlpjit.report import answer

    return answer(directory, lambda: print("writing figures and page", file=sys.stderr))


def _json(summary: Summary, directory: Path, answer: list[dict[str, Any]], tries: Sequence[Try]) -> str:
    from dataclasses import asdict

    from mlpjit.cli.tables import dump
    from mlpjit.report import sentences

    found: dict[str, Any] = {"answer": answer, "sentences": sentences(directory) if answer else {}}
    found |= {"tries": [asdict(one) for one in tries]} if tries else {}
    return dump({"directory": str(directory), **asdict(summary), **found})


def _text(directory: Path, answer: list[dict[str, Any]], no_report: bool, tries: Sequence[Try]) -> str:
    from mlpjit.cli.answers import answer_tables
    from mlpjit.cli.verdicts import verdict_tables
    from mlpjit.report import sentences

    outputs = [f"store    {directory / 'store.sqlite'}"]
    if not no_report:
        outputs += [f"page     {directory / 'report.html'}", f"figures  {directory / 'figures'}"]
        outputs += [f"tables   {directory / 'tables'}"]
    parts = [answer_tables(answer, sentences(directory))] if answer else []
    return "\n\n".join([*parts, *verdict_tables(tries), "\n".join(outputs)])


def _tell_failures(summary: Summary) -> None:
    """Name the kinds of failures on standard error."""
    from mlpjit.cli.tables import counted

    for error, count in sorted(summary.errors.items(), key=lambda item: -item[1])[:5]:
        print(f"error: {counted(count, 'run')} failed: {error}", file=sys.stderr)
