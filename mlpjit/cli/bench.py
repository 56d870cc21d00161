"""`mlpjit bench [SECTION...]`: this machine's limits, and how near the kernels come to them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlpjit.cli.options import Dtype

if TYPE_CHECKING:
    from mlpjit.measure.clock import Spread
    from mlpjit.measure.measured import Measured
    from mlpjit.measure.readings import Reading

SECTIONS = ("limits", "kernels", "steps", "compile", "threads", "harness")
BUSY = 0.3  # a load of other work per core, above which the figures are told to be doubtful


# What may be given beside --peers, beside --compare, and without both.
TAKES = {
    "--peers": {"peers", "grid", "only", "beside", "rounds", "pin", "out", "as_json"},
    "--compare": {"compare", "only", "dtype", "fail_on", "out", "as_json"},
    "": {"sections", "only", "dtype", "rounds", "threads", "out", "as_json"},
}


def bench(
    context: typer.Context,
    sections: Annotated[list[str] | None, typer.Argument(help=", ".join(SECTIONS) + "; all without it.")] = None,
    only: Annotated[str, typer.Option("--only", help="Only cases with this in their name, such as adam.")] = "",
    dtype: Annotated[list[Dtype] | None, typer.Option("--dtype", help="Twice for both; float32 without it.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Samples of each case.")] = 15,
    threads: Annotated[int | None, typer.Option("--threads", help="Threads to scale to; all CPUs without it.")] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Beside JAX, PyTorch, scikit-learn, as installed.")] = False,
    grid: Annotated[str, typer.Option("--grid", help="With --peers: nine, wide (20 more) or full (480).")] = "wide",
    beside: Annotated[str, typer.Option("--beside", help="With --peers: only those, as jax,eager.")] = "",
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="With --peers: all on one CPU.")] = True,
    compare: Annotated[
        str, typer.Option("--compare", metavar="REV", help="Is the working tree slower or faster than a git revision?")
    ] = "",
    fail_on: Annotated[
        str, typer.Option("--fail-on", help="With --compare: slower, or faster: exit with 1 where a case is.")
    ] = "",
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("results/bench"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the machine's limits, kernels and training steps as shares of them, compile times, thread scaling.

    And what Python does for a small run, part by part (harness).

    With --peers: training steps beside what else is installed, instead. With --compare: every case against an earlier
    version of this repository, instead.
    """
    from dataclasses import asdict

    from mlpjit.cli.peers import compare_peers
    from mlpjit.cli.revisions import compare_with
    from mlpjit.cli.tables import dump
    from mlpjit.errors import ConfigError
    from mlpjit.measure.bench import Options, measure, write
    from mlpjit.study.pool import thread_count

    mode = "--peers" if peers else "--compare" if compare else ""
    _refuse_others(context, mode)
    if peers:
        compare_peers(grid, only, beside, rounds, pin, out, as_json)
        return
    if compare:
        if len(dtype or ()) > 1:
            raise ConfigError("--compare: got --dtype twice, compares one dtype")
        compare_with(compare, (dtype or [Dtype.float32])[0].value, only, fail_on, out, as_json)
        return
    dtypes = tuple(dict.fromkeys(each.value for each in dtype or [Dtype.float32]))
    options = Options(only, dtypes, rounds, threads=thread_count(threads))
    found = measure(sections or (), options, _Progress())
    paths = write(found, out)
    print(dump(asdict(found)) if as_json else "\n\n".join(_tables(found)))
    if not as_json:
        print("\n" + "\n".join(map(str, paths)))


def _refuse_others(context: typer.Context, mode: str) -> None:
    """Refuse what was given and would be ignored."""
    from mlpjit.errors import ConfigError

    sources = [(p, context.get_parameter_source(p.name or "")) for p in context.command.params]
    given = [p for p, source in sources if source is not None and source.name == "COMMANDLINE"]
    wrong = {p.opts[0]: p.name for p in given if p.name not in TAKES[mode]}
    if wrong and mode:
        raise ConfigError(f"{mode} cannot be had with {', '.join(wrong)}: see mlpjit bench --help")
    if wrong:
        lines = []
        for needed in ("--peers", "--compare"):
            if some := [option for option, name in wrong.items() if name in TAKES[needed]]:
                lines.append(f"{', '.join(some)}: works with {needed} only")
        raise ConfigError(lines)


class _Progress:
    """A line on standard error when a section begins."""

    def __init__(self) -> None:
        self._section = ""

    def __call__(self, section: str, done: int, total: int) -> None:
        if section != self._section:
            print(f"measuring {section}", file=sys.stderr, flush=True)
        self._section = section


def _tables(found: Measured) -> Iterable[str]:
    from mlpjit.cli.tables import table

    numbers = range(1, 9)
    yield f"{found.host['host_cpu']}, load {found.load:.1f} at the start" + _doubt(found)
    if found.limits:
        rows = [(limit.name, *_rate(limit.rate, 1e9), _unit(limit.unit)) for limit in found.limits]
        yield table(("limit of one core", "median", "quartiles", "unit"), rows, numbers[:2])
    for name, readings in (("kernel", found.kernels), ("training step", found.steps)):
        if readings:
            header = (name, "us", "quartiles", "GFLOP/s", "of fma", "GB/s", "level", "of memory", "of units", "bound")
            yield table(header, map(_reading, readings), (1, 2, 3, 4, 5, 7, 8))
            yield "\n".join(_farthest(readings))
    if found.compile:
        columns = ("compile cache", "process s", "quartiles", "imports", "kernels", "first step", "compiled", "loaded")
        yield table(columns, [_start(start) for start in found.compile], numbers)
    if found.threads:
        heads = ("runs", "1 thread, runs/s", "quartiles", "threads", "runs/s", "quartiles", "of linear", "quartiles")
        yield table(heads, [_scaling(each) for each in found.threads], numbers)
    if found.harness:
        parts = ("a run of 22 steps, 2 x 8", "us, GIL held", "quartiles", "us in all", "quartiles")
        yield table(parts, map(_part, found.harness), numbers[:4])


def _farthest(readings: list[Reading]) -> Iterable[str]:
    """Say of each kind of case how near they come to the limit that binds them, and which stays farthest away."""
    for group in dict.fromkeys(row.group for row in readings):
        shares = {row.name: row.shares[row.bound].median for row in readings if row.group == group and row.bound}
        if not shares:
            continue
        last = min(shares, key=lambda name: shares[name])
        middle = sorted(shares.values())[len(shares) // 2]
        yield f"{group}: {middle:.0%} of what binds it at the median, {shares[last]:.0%} at least ({last})"


def _doubt(found: Measured) -> str:
    busy = found.load > BUSY * max(1, found.host["host_threads"])
    return " (other work ran beside this: times are too long, shares less so)" if busy else ""


def _rate(value: Spread, unit: float, digits: int = 1) -> tuple[str, str]:
    """Return a median and its quartiles."""
    ends = f"{value.low / unit:.{digits}f}-{value.high / unit:.{digits}f}"
    return f"{value.median / unit:.{digits}f}", ends


def _unit(name: str) -> str:
    return {"fma": "GFLOP/s", "bytes": "GB/s"}.get(name, f"G{name}/s")


def _share(value: Spread | None) -> str:
    return "-" if value is None else f"{value.median:.0%}"


def _reading(row: Reading) -> tuple[Any, ...]:
    shares = row.shares
    return (
        row.name, *_rate(row.seconds, 1e-6, 2), f"{row.flops / 1e9:.1f}" if row.flop else "-",
        _share(shares.get("fma")), f"{row.bandwidth / 1e9:.1f}", row.level, _share(shares.get("memory")),
        _share(shares.get("units")), f"{_share(shares[row.bound])} of {row.bound}" if row.bound else "-",
    )  # fmt: skip


def _start(row: Any) -> tuple[Any, ...]:
    parts = (row.imports, row.kernels, row.step)
    return (row.cache, *_rate(row.process, 1, 2), *(f"{p.median:.2f}" for p in parts), row.compiled, row.loaded)


def _part(row: Any) -> tuple[Any, ...]:
    return (row.name, *_rate(row.held, 1e-6), *_rate(row.spent, 1e-6))


def _scaling(row: Any) -> tuple[Any, ...]:
    shares = f"{row.share.low:.2f}-{row.share.high:.2f}"
    return (row.network, *_rate(row.alone, 1), row.threads, *_rate(row.together, 1), f"{row.share.median:.2f}", shares)
