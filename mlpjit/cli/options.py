"""Values that options of several commands take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mlpjit.errors import ConfigError, data_is_typed


class Dtype(StrEnum):
    """The dtypes that kernels are compiled for."""

    float32 = "float32"
    float64 = "float64"


Data = Annotated[str | None, typer.Option("--data", help="A dataset, or a file of your own, in place of the study's.")]
Target = Annotated[str | None, typer.Option("--target", help="The target's column in --data: its name or number.")]
Drop = Annotated[str | None, typer.Option("--drop", help="Columns of --data to leave out, as a,b.")]
Categorical = Annotated[str | None, typer.Option("--categorical", help="Columns of numbers to take as categories.")]
Missing = Annotated[str | None, typer.Option("--missing", help="Missing cells: fill [default], drop or refuse.")]

Use = Annotated[
    list[Path] | None, typer.Option("--use", help="A Python file of your own that runs need; several times.")
]

Force = Annotated[bool, typer.Option("--force", help="Run though it takes more memory than is free.")]


def data_spec(
    data: str | None, target: str | None, drop: str | None, categorical: str | None, missing: str | None
) -> dict[str, Any] | None:
    """Return the dataset that the options choose, as in a study file; None without --data.

    Raises ConfigError for options of a dataset that is not there.
    """
    given = {
        "target": _column(target),
        "drop": _columns(drop),
        "categorical": _columns(categorical),
        "missing": missing,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if data is None and chosen:
        raise ConfigError(f"--{next(iter(chosen))} is for the columns of --data: name a file with it")
    data_is_typed(data is not None)
    return None if data is None else {"name": data, **chosen}


def _column(text: str | None) -> str | int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else text


def _columns(text: str | None) -> list[str | int | None] | None:
    return None if text is None else [_column(each.strip()) for each in text.split(",")]
