"""`mlpjit warm [STUDY|all]`: compile ahead of time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from mlpjit.cli.options import Dtype

LINE_SECONDS = 2.0


def warm(
    study: Annotated[str, typer.Argument(help="A built-in study, a TOML file, or all that is registered.")] = "all",
    dtype: Annotated[Dtype, typer.Option("--dtype", help="For all; a study has its own.")] = Dtype.float32,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compile what a study needs, or all that is registered, so that later runs start at once."""
    from mlpjit.cli.tables import dump, seconds

    start = time.monotonic()
    kernels, compiled = _warm(study, dtype.value)
    taken = time.monotonic() - start
    if as_json:
        print(dump({"kernels": kernels, "compiled": compiled, "from_cache": kernels - compiled, "seconds": taken}))
        return
    print(f"{kernels} kernels in {seconds(taken)}: {compiled} compiled, {kernels - compiled} from the cache")


def _warm(study: str, dtype: str) -> tuple[int, int]:
    """Return how many kernels are in memory now, and how many of them were not in the cache before."""
    from mlpjit.training import compile_workers

    compile_workers.expect()
    from mlpjit.study.plan import to_prepare
    from mlpjit.study.study import Study
    from mlpjit.training.warm import everything, have, prepare

    configs = None if study == "all" else to_prepare(Study.load(study).runs)
    from mlpjit.kernels.compiler import jit

    before = jit.published()
    if configs is None:
        have(everything(dtype), _lines())
    else:
        prepare(configs, _lines())
    return len(list(jit.loaded())), jit.published() - before


def _lines() -> Callable[[int, int, str], None]:
    """Return what tells on standard error how far it is, every few seconds."""
    last = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"{done} of {total} ready: {what}".rstrip(": "), file=sys.stderr, flush=True)

    return tell
