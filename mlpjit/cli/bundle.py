"""`mlpjit bundle DIR`: results as one file to send."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def bundle(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results.")],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write [DIR.zip beside DIR].")] = None,
    with_data: Annotated[bool, typer.Option("--with-data", help="Include data files of your own.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write page, tables, store, study, what was tried, versions and how to run it again as one file to send."""
    from mlpjit.bundle.writing import bundle as write
    from mlpjit.cli.tables import dump

    found = write(directory, out, with_data)
    for line in found.told:
        print(line, file=sys.stderr)
    print(dump({"file": str(found.path), "lacks": found.told}) if as_json else found.path)
