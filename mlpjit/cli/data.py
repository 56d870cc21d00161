"""`mlpjit data fetch NAME`: a dataset from OpenML as a file that studies can use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="The dataset's name on OpenML, such as mnist_784.")],
    version: Annotated[int | None, typer.Option(help="Its version; without it the active one.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; NAME.npz without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a dataset from OpenML (scikit-learn does it) and write it as NPZ, for `dataset = "NAME.npz"`."""
    from mlpjit.catalogue.datasets.openml import fetch as download
    from mlpjit.cli.tables import dump

    path = str(download(name, version, out or Path(f"{name}.npz")))
    print(dump({"path": path}) if as_json else path)
