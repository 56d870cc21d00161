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
    if not kernels:
        print(f"all kernels were in the cache ({seconds(taken)})")
        return
    print(f"{kernels} kernels in {seconds(taken)}: {compiled} compiled, {kernels - compiled} from the cache")


def _warm(study: str, dtype: str) -> tuple[int, int]:
    """Return how many kernels are in memory now, and how many of them were not in the cache before."""
    from mlpjit.training import compile_workers

    compile_workers.expect()
    from mlpjit.study.plan import to_prepare
    from mlpjit.study.study import Study
    from mlpjit.study.using import runner_of
    from mlpjit.training.warm import everything, have, prepare

    loaded = None if study == "all" else Study.load(study)
    configs = to_prepare(loaded.runs) if loaded else []
    from mlpjit.kernels.compiler import jit

    before = jit.published()
    if loaded is None:
        have(everything(dtype), _lines())
    else:
        with runner_of(loaded) as runner:  # what is of the user's own is compiled where it may be run
            (runner.prepare if runner else prepare)(configs, _lines())
    compiled = jit.published() - before
    # Of a study with files of the user's own, all is loaded in worker processes, which have ended.
    return max(compiled, sum(jit.counted())), compiled


def _lines() -> Callable[[int, int, str], None]:
    """Return what tells on standard error how far it is, every few seconds."""
    last = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(f"{done} of {total} ready: {what}".rstrip(": "), file=sys.stderr, flush=True)

    return tell
