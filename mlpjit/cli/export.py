"""`mlpjit export DIR`: the tables of a study as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet (needs pyarrow).")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Write the records of each layer too: layers.csv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write runs.csv (one row a run) and curves.csv (one row an evaluation) beside the store."""
    from mlpjit.cli.tables import dump
    from mlpjit.report.export import export as write

    paths = [str(path) for path in write(directory, parquet, layers)]
    print(dump(paths) if as_json else "\n".join(paths))
