"""`mlpjit warm [STUDY|all]`: compile ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer


def warm(
    study: Annotated[str, typer.Argument(help="A built-in study, a TOML file, or all.")] = "all",
) -> None:
    """Compile everything that a study needs, or all that is registered, into the compile cache."""
    from mlpjit.cli.tables import seconds
    from mlpjit.study import Study
    from mlpjit.warm import prepare

    print(f"{seconds(prepare(Study.load('quick' if study == 'all' else study).configs()))}")
