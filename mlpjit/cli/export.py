"""`mlpjit export DIR`: the tables of a study as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet (needs pyarrow).")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Write the records of each layer too: layers.csv.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="Write runs.csv.xz alone: small, to be kept.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write runs.csv (one row a run) and curves.csv (one row an evaluation) beside the store."""
    from mlpjit.cli.tables import dump
    from mlpjit.errors import ConfigError
    from mlpjit.report.export import export as write
    from mlpjit.report.export import export_compact

    if compact and (parquet or layers):
        raise ConfigError("--compact writes runs.csv.xz alone, without --parquet and --layers")
    paths = [str(path) for path in ([export_compact(directory)] if compact else write(directory, parquet, layers))]
    print(dump(paths) if as_json else "\n".join(paths))
