"""The command line. Standard output is data, standard error is progress and errors.

Exit codes: 0 done, 1 some runs failed, 2 usage or configuration, 3 store, disk or standard output,
130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
Only typer is imported here: `mlpjit --help` must answer at once.
"""

from __future__ import annotations

import copy
import functools
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mlpjit.cli import (
    bench,
    bundle,
    compare,
    data,
    doctor,
    export,
    figure,
    interrupts,
    listing,
    plan,
    report,
    run,
    trying,
    verify,
    warm,
)
from mlpjit.errors import MlpjitError, StoreError, read_on_the_command_line

app = typer.Typer(
    name="mlpjit",
    help="Compiled benchmark sweeps for multi-layer perceptrons: optimizers, initializers, activations compared.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        from mlpjit import __version__

        print(f"mlpjit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Compiled benchmark sweeps for multi-layer perceptrons: optimizers, initializers, activations compared."""


# What a terminal shows of mistakes.
LONGEST_LINE, MOST_MISTAKES = 300, 10


def tell_mistakes(lines: list[str]) -> None:
    """Print a line a mistake: of a long one, which quotes what was given, its ends; of many mistakes the first two."""
    told = lines if len(lines) <= MOST_MISTAKES else lines[:2]
    for line in told:
        shown = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 105]} ... {line[-100:]}"
        print(f"error: {shown}", file=sys.stderr)
    if len(lines) > len(told):
        print(f"error: and at least {len(lines) - len(told)} mistakes more", file=sys.stderr)


def _exit_code(command: Callable[[], None]) -> int:
    """Run a command and return its exit code, its mistakes told."""
    try:
        command()
        sys.stdout.flush()
    except MlpjitError as error:
        tell_mistakes(str(error).splitlines())
        return error.exit_code
    except KeyboardInterrupt as interrupted:
        return _interrupted(interrupted)
    except OSError as error:
        return _without_output(error)
    return 0


def _without_output(error: OSError) -> int:
    """Tell that standard output cannot be written; raise an error that is about anything else."""
    if isinstance(error, BrokenPipeError):  # the reader has gone, as in `mlpjit list optimizers | head -1`
        interrupts.drop_output()
        return 141
    if not interrupts.is_about_output(error):
        raise error
    interrupts.drop_output()
    tell_mistakes([f"standard output: cannot be written: {error.strerror}"])
    return StoreError.exit_code


def _interrupted(interrupted: KeyboardInterrupt) -> int:
    line = interrupts.told(interrupted)
    if interrupts.ends_at_once():  # Python takes a second to end with all that is imported
        interrupts.leave(line)
    print(line, file=sys.stderr)
    return interrupts.code()


def _tell_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print what a store has lost as one line, as it is."""
    print(f"warning: {message}", file=sys.stderr)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors a user can cause into lines on standard error and an exit code; others keep their traceback."""

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> None:
        with interrupts.unwinding(), warnings.catch_warnings(), read_on_the_command_line():
            warnings.showwarning = _tell_warning
            code = _exit_code(functools.partial(command, *arguments, **options))
        if code:
            raise typer.Exit(code)

    return call


# One whole line each in `mlpjit --help`; `mlpjit COMMAND --help` says all.
COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "run": (run.run, "Run a study: what is stored is not run again."),
    "plan": (plan.plan, "Show what a study would run, take and be able to claim."),
    "list": (listing.list_records, "List what there is, or tell all about one name."),
    "report": (report.report, "Draw a study's figures and write its page."),
    "figure": (figure.figure, "Draw one figure at a paper's width."),
    "compare": (compare.compare, "Compare competitors on paired seeds."),
    "export": (export.export, "Write a study's runs and curves as CSV."),
    "bundle": (bundle.bundle, "Write results as one file to send."),
    "verify": (verify.verify, "Make stored runs again and compare every bit."),
    "doctor": (doctor.doctor, "Show versions, CPU, threads and cache."),
    "bench": (bench.bench, "Measure kernels, steps and revisions."),
    "try": (trying.try_optimizer, "Compare an optimizer of your own with a study's."),
    "warm": (warm.warm, "Compile what a study needs, ahead of time."),
}  # fmt: skip
for name, (command, line) in COMMANDS.items():
    app.command(name, short_help=line)(guarded(command))
datasets = typer.Typer(help="Datasets from elsewhere, fetched on request only.", no_args_is_help=True)
datasets.command("fetch", short_help="Download a dataset from OpenML as a file for studies.")(guarded(data.fetch))
# A callback keeps `fetch` a command of its own while it is the only one.
datasets.callback()(lambda: None)
app.add_typer(datasets, name="data")


def _asked() -> typer.Typer:
    """Return the command line with the command alone that is asked for: to describe the others takes 12 ms."""
    if not sys.argv[1:] or sys.argv[1] not in COMMANDS:
        return app
    narrowed = copy.copy(app)
    narrowed.registered_commands = [each for each in app.registered_commands if each.name == sys.argv[1]]
    return narrowed


def main() -> None:
    """Run the command line."""
    interrupts.install()
    try:
        try:
            _asked()(prog_name="mlpjit")
        finally:
            sys.stdout.flush()
    except OSError as error:  # of `--help`
        sys.exit(_without_output(error))
    finally:
        interrupts.hold()


__all__ = ["app", "main"]
