"""`mlpjit doctor`: what a bug report should say about the machine; `mlpjit doctor DIR`: a store verified and mended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def doctor(
    directory: Annotated[Path | None, typer.Argument(help="The folder of a store to verify and mend.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions, CPU features, vector width, threads, compile cache and what is wrong with them.

    With a folder: verify every run and table of its store. A damaged one is kept beside as it was, and what is sound of
    it takes its place; the study's command makes the rest again.
    """
    from mlpjit.cli.tables import dump, table

    found = _machine() if directory is None else _store(directory)
    print(dump(found) if as_json else table(("what", "value"), list(flat(found))))


def _machine() -> dict[str, Any]:
    from mlpjit.measure.doctor import collect

    return collect()


def _store(directory: Path) -> dict[str, Any]:
    from mlpjit.store.checkup import checkup

    return checkup(directory)._asdict()


def flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested values as (dotted name, text) pairs."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += flat(value, f"{before}{name}.")
        else:
            text = ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
            rows.append((f"{before}{name}", text))
    return rows
