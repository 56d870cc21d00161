"""`mlpjit export DIR`: the tables of a study as CSV or Parquet, or the model of one of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpjit.cli.options import Use


def export(
    directory: Annotated[Path, typer.Argument(help="The folder of a study's results, or a bundle.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet (needs pyarrow).")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="Write the records of each layer too: layers.csv.")] = False,
    compact: Annotated[bool, typer.Option("--compact", help="Write runs.csv.xz alone: small, to be kept.")] = False,
    model: Annotated[Path | None, typer.Option("--model", help="Write the best run's model alone: best.npz.")] = None,
    run: Annotated[str, typer.Option("--run", help="The run whose model it is, by its id [the best].")] = "",
    torch: Annotated[Path | None, typer.Option("--torch", help="A PyTorch module beside the model: best.py.")] = None,
    use: Use = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write runs.csv (a row a run) and curves.csv (a row an evaluation) beside the store, or a model to take away."""
    from mlpjit.bundle.opening import beside, is_bundle, opened
    from mlpjit.cli.tables import dump
    from mlpjit.errors import ConfigError

    if model is None and (run or torch or use):
        raise ConfigError("--run, --torch and --use are for --model: name the file to write, as --model best.npz")
    with opened(directory) as folder:
        if model is not None:
            from mlpjit.verify.replay import export_model

            paths = export_model(folder, model, run, torch, use or ())
        else:
            paths = _tables(folder, parquet, layers, compact)
            paths = [beside(directory, path) for path in paths] if is_bundle(directory) else paths
    print(dump([str(path) for path in paths]) if as_json else "\n".join(map(str, paths)))


def _tables(directory: Path, parquet: bool, layers: bool, compact: bool) -> list[Path]:
    from mlpjit.errors import ConfigError
    from mlpjit.report.export import export as write
    from mlpjit.report.export import export_compact

    if compact and (parquet or layers):
        raise ConfigError("--compact writes runs.csv.xz alone, without --parquet and --layers")
    return [export_compact(directory)] if compact else write(directory, parquet, layers)
