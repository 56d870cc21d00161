"""`mlpjit report DIR`: figures, tables and the page, from the store alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Figures as PDF too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Draw again though nothing has changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw the figures of a study and write report.html, one self-contained page."""
    from mlpjit.cli.tables import dump
    from mlpjit.report import write

    paths = [str(path) for path in write(directory, pdf=pdf, force=force)]
    print(dump(paths) if as_json else "\n".join(paths))
