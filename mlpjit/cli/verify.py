"""`mlpjit verify DIR`: are the stored bits those that this code makes?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlpjit.cli.options import Use

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
    use: Use = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make stored runs again and compare every number and curve bit for bit; exit code 1 where some differ."""
    from mlpjit.bundle.opening import is_bundle, opened
    from mlpjit.cli.progress import display
    from mlpjit.errors import ConfigError
    from mlpjit.study.using import running
    from mlpjit.verify import verify
    from mlpjit.verify.kept import edited_since, needed_names, own_code
    from mlpjit.verify.verification import SAMPLE

    if everything and sample is not None:
        raise ConfigError("--all and --sample: give one of them")
    if sample is not None and sample < 1:
        raise ConfigError(f"--sample: got {sample}, need a whole number from 1 up")
    if adopt and is_bundle(directory):
        raise ConfigError(f"--adopt: {directory} is a bundle, which stays as it is: unpack it")
    with opened(directory) as folder, display() as show, running(use or ()) as workers:
        runner = workers.runner() if workers else None
        found = verify(folder, None if everything else sample or SAMPLE, adopt, threads, show, runner)
        own, edited = own_code(folder), edited_since(folder, use or ())
    print(_json(found) if as_json else _text(found, adopt))
    lacking = {each.run_id: names for each in found.wrong if (names := needed_names(each.problem, own))}
    if lacking:
        print(_needs(lacking, own, "give also" if use else "give"), file=sys.stderr)
    if edited and any(each.differs for each in found.wrong):
        told = "edited since some of these runs were made, which differ now; a bundle has each text that was run"
        print(f"note: {', '.join(edited)}: {told}", file=sys.stderr)
    for each in [each for each in found.wrong if each.run_id not in lacking][:SHOWN]:
        print(f"error: run {each.run_id}: {each.problem or 'other ' + ', '.join(each.differs)}", file=sys.stderr)
    if found.wrong:
        raise typer.Exit(1)


def _needs(lacking: Mapping[str, list[str]], own: Mapping[str, str], give: str) -> str:
    """Say in one line which files runs lack; nothing of a store or a bundle is run unless it is given."""
    from mlpjit.cli.tables import counted

    names = [name for name in own if any(name in some for some in lacking.values())]
    files = " ".join(f"--use {file}" for file in dict.fromkeys(own[name] for name in names))
    return f"error: {counted(len(lacking), 'run')} not made again, for want of {', '.join(names)}: {give} {files}"


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
