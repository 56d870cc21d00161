"""`mlpjit doctor`: what a bug report should say about the machine."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show versions, CPU features, vector width, threads, compile cache and what is wrong with them."""
    from mlpjit.cli.tables import dump, table
    from mlpjit.measure.doctor import collect

    found = collect()
    print(dump(found) if as_json else table(("what", "value"), list(flat(found))))


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
