"""The command line. Standard output is data, standard error is progress and errors.

Exit codes: 0 done, 1 some runs failed, 2 usage or configuration, 3 store or disk, 130 interrupted.
Only typer is imported here: `mlpjit --help` must answer at once.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from mlpjit.cli import bench, compare, data, doctor, export, figure, listing, plan, report, run, trying, verify, warm
from mlpjit.errors import MlpjitError

app = typer.Typer(
    name="mlpjit",
    help="Compiled benchmark sweeps for multi-layer perceptrons: optimizers, initializers, activations compared.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# What a terminal shows of mistakes.
LONGEST_LINE, MOST_MISTAKES = 300, 100


def tell_mistakes(lines: list[str]) -> None:
    """Print a line for each mistake: of a very long one, which quotes what was given, its ends; of many the first."""
    for line in lines[:MOST_MISTAKES]:
        shown = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 105]} ... {line[-100:]}"
        print(f"error: {shown}", file=sys.stderr)
    if len(lines) > MOST_MISTAKES:
        print(f"error: and {len(lines) - MOST_MISTAKES:,} mistakes more", file=sys.stderr)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors a user can cause into lines on standard error and an exit code; others keep their traceback."""

    @functools.wraps(command)
    def call(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except MlpjitError as error:
            tell_mistakes(str(error).splitlines())
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt as interrupted:
            print(str(interrupted) or "interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader has gone, as in `mlpjit list optimizers | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None

    return call


app.command("run")(guarded(run.run))
app.command("plan")(guarded(plan.plan))
app.command("list")(guarded(listing.list_records))
app.command("report")(guarded(report.report))
app.command("figure")(guarded(figure.figure))
app.command("compare")(guarded(compare.compare))
app.command("export")(guarded(export.export))
app.command("verify")(guarded(verify.verify))
app.command("doctor")(guarded(doctor.doctor))
app.command("bench")(guarded(bench.bench))
app.command("try")(guarded(trying.try_optimizer))
app.command("warm")(guarded(warm.warm))
datasets = typer.Typer(help="Datasets from elsewhere, fetched on request only.", no_args_is_help=True)
datasets.command("fetch")(guarded(data.fetch))
# A callback keeps `fetch` a command of its own while it is the only one.
datasets.callback()(lambda: None)
app.add_typer(datasets, name="data")


def main() -> None:
    """Run the command line."""
    app(prog_name="mlpjit")


__all__ = ["app", "main"]
