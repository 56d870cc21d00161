"""`mlpjit verify DIR`: are the stored bits those that this code makes?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlpjit.verify import Verification

SHOWN = 10


def verify(
    directory: Annotated[Path, typer.Argument(help="A folder with a store or an exported table, or a bundle.")],
    sample: Annotated[int | None, typer.Option("--sample", help="How many runs to make again [20].")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Make every run again.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Give runs the ids of the present code where the bits are the same.")
    ] = False,
    threads: Annotated[int | None, typer.Option("--threads", help="Runs at once; all CPUs without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make stored runs again and compare every number and curve bit for bit; exit code 1 where some differ."""
    from mlpjit.bundle.opening import is_bundle, opened
    from mlpjit.cli.progress import display
    from mlpjit.errors import ConfigError
    from mlpjit.verify import verify
    from mlpjit.verify.verification import SAMPLE

    if everything and sample is not None:
        raise ConfigError("--all and --sample: give one of them")
    if sample is not None and sample < 1:
        raise ConfigError(f"--sample: got {sample}, need a whole number from 1 up")
    if adopt and is_bundle(directory):
        raise ConfigError(f"--adopt: {directory} is a bundle, which stays as it is: unpack it")
    with opened(directory) as folder, display() as show:
        found = verify(folder, None if everything else sample or SAMPLE, adopt, threads, show)
    print(_json(found) if as_json else _text(found, adopt))
    for each in found.wrong[:SHOWN]:
        print(f"error: run {each.run_id}: {each.problem or 'other ' + ', '.join(each.differs)}", file=sys.stderr)
    if found.wrong:
        raise typer.Exit(1)


def _text(found: Verification, adopt: bool) -> str:
    from mlpjit.cli.tables import counted

    same = len(found.checked) - len(found.wrong)
    lines = [f"{counted(len(found.checked), 'run')} of {found.stored:,} made again, {same:,} with the same bits"]
    if adopt:
        lines.append(f"{counted(found.adopted, 'run')} took the id of the present code")
    return "\n".join(lines)


def _json(found: Verification) -> str:
    from dataclasses import asdict

    from mlpjit.cli.tables import dump

    wrong = [asdict(each) for each in found.wrong]
    return dump({
        "directory": str(found.directory), "stored": found.stored, "made_again": len(found.checked), "wrong": wrong,
        "adopted": found.adopted,
    })  # fmt: skip
