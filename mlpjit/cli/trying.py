"""`mlpjit try FILE.py STUDY`: an optimizer, activation, ... of the user's own beside the stored ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlpjit.cli.options import Categorical, Data, Drop, Force, Missing, Target, data_spec

if TYPE_CHECKING:
    from mlpjit.study.study import Study
    from mlpjit.study.trial import Trial


def try_optimizer(
    file: Annotated[Path | None, typer.Argument(help="A Python file with an entry of your own (docs/try.md).")] = None,
    study: Annotated[str, typer.Argument(help="A built-in study or a TOML file.")] = "quick",
    rates: Annotated[str, typer.Option("--rates", help="Its learning rates, as 0.001,0.01 [all of the study].")] = "",
    tune: Annotated[
        list[str] | None, typer.Option("--tune", help="Values of a parameter to tune over, as b1=0.8,0.9,0.95.")
    ] = None,
    margin: Annotated[float | None, typer.Option("--margin", help="Smaller differences do not matter.")] = None,
    cap: Annotated[int, typer.Option("--cap", help="Look at no more seeds.")] = 100,
    forget: Annotated[str, typer.Option("--forget", help="Only forget all tries of this name.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the results [results/<study>].")] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="Runs at once; all CPUs without it.")] = None,
    data: Data = None,
    target: Target = None,
    drop: Drop = None,
    categorical: Categorical = None,
    missing: Missing = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Run only: no figures, no page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    force: Force = False,
) -> None:
    """Tune an idea of your own on a study's grid, then add pairs of runs until its verdicts are certain."""
    chosen = data_spec(data, target, drop, categorical, missing)
    if forget:
        _forget(forget, _loaded(str(file or study), chosen), out)
        return
    if file is None:
        raise typer.BadParameter("give a file with an entry of your own (docs/try.md)")
    from mlpjit.cli.progress import display
    from mlpjit.cli.run import finish
    from mlpjit.study.pool import thread_count
    from mlpjit.study.signals import Interrupted
    from mlpjit.study.trial import trial
    from mlpjit.study.workers import read

    thread_count(threads)  # told before a process is started for the file
    base, grid, tuned = _loaded(study, chosen), numbers(rates), axes(tune or ())
    directory = base.directory(out)
    _tell_lacking(base, directory)
    tried = trial(base, read(file), grid, tuned, cap, margin)
    _tell_rates(tried)
    try:
        with display() as show:
            summary = tried.try_out(directory, threads, show, force)
    except Interrupted as interrupted:
        raise Interrupted(f"{interrupted}\nresume with: {tried.command(directory)}") from None
    finish(summary, directory, no_report, as_json, tried.keep(directory))


def _loaded(study: str, data: dict[str, Any] | None) -> Study:
    from mlpjit.study.study import Study

    return Study.load(study, data)


def _forget(name: str, study: Study, out: Path | None) -> None:
    """Remove what is kept of the tries of a name; its runs stay stored."""
    from mlpjit.comparison.tries import forget
    from mlpjit.store import Store

    directory = study.directory(out)
    Store.open(directory, readonly=True).close()  # so that none is made
    with Store.open(directory) as store:
        count = forget(store, name)
    print(f"{count} {'try' if count == 1 else 'tries'} of {name} forgotten; the runs stay stored", file=sys.stderr)


def numbers(text: str, option: str = "--rates") -> list[float]:
    """Return the numbers of a list with commas; ConfigError for anything else."""
    from mlpjit.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")] if text else []
    except ValueError:
        raise ConfigError(f"{option}: got {text!r}, need numbers with commas between, as 0.001,0.01") from None


def axes(given: Sequence[str]) -> dict[str, list[float]]:
    """Return the values of each parameter of texts like b1=0.8,0.9; ConfigError for anything else."""
    from mlpjit.errors import ConfigError

    found = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ConfigError(f"--tune: got {text!r}, need a parameter with its values, as b1=0.8,0.9")
        found[name] = numbers(values, f"--tune {name}")
    return found


def _tell_lacking(base: Study, directory: Path) -> None:
    """Say what is missing of the study itself, before its file is read: whoever mends it need not wait for them."""
    from mlpjit.cli.tables import counted
    from mlpjit.study.trial import missing_runs

    if missing := missing_runs(base, directory):
        told = f"{directory} lacks {counted(missing, 'run')} of {base.name!r}, which are made first"
        print(f"{told}; this makes them alone: {base.command(directory)}", file=sys.stderr)


def _tell_rates(tried: Trial) -> None:
    """Say at which rates the file's entries are tried."""
    chosen = "as given" if tried.given else f"every rate of {tried.name!r}; --rates chooses others"
    if not tried.given and tried.file.field != "optimizer":
        chosen = f"as {tried.name!r} has them; --rates chooses others"
    listed = ", ".join(f"{rate:g}" for rate in tried.rates)
    limits = " or ".join(f"{limit:g}" for limit in tried.limits)
    told = f"rates {listed} ({chosen}); each run at most {limits} s"
    print(f"{', '.join(tried.file.names)}: {told}", file=sys.stderr)
