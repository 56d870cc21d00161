"""`mlpjit bench --peers`: training steps of mlpjit and of what else is installed, side by side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlpjit.measure.peers.side_by_side import Comparison

BUSY = 1.2  # wall over core time, above which other work ran on the core


def compare_peers(grid: str, only: str, beside: str, rounds: int, pinned: bool, out: Path, as_json: bool) -> None:
    """Time the cells of a grid on the sides installed; print tables, write JSON after each cell, and a figure."""
    from mlpjit.errors import ConfigError, writing
    from mlpjit.measure.peers.cells import chosen
    from mlpjit.measure.peers.figure import save
    from mlpjit.measure.peers.side_by_side import compare, named

    cells = [cell for cell in chosen(grid) if only in cell.name]
    if not cells:
        raise ConfigError(f"no cell has {only!r} in its name")

    def keep(found: Comparison) -> None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
            path.write_text(text_of(found) + "\n", encoding="utf-8")

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    path, core = out / "peers.json", last_core() if pinned else None
    found = compare(cells, named(beside), rounds, core=core, progress=tell, finished=keep)
    with writing(out):
        paths = [path, *save(found, out)]
    for line in found.left_out:
        tell(f"left out: {line}")
    print(text_of(found) if as_json else "\n\n".join([*tables(found), "\n".join(map(str, paths))]))


def text_of(found: Comparison) -> str:
    """Return everything measured as JSON, with the machine and the summaries."""
    from dataclasses import asdict

    from mlpjit.cli.tables import dump
    from mlpjit.host import host

    return dump({"host": host(1), **asdict(found), "summaries": [asdict(each) for each in found.summaries()]})


def last_core() -> int | None:
    """Return the last CPU that this process may use; None where the system cannot pin."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def tables(found: Comparison) -> Iterable[str]:
    """Yield a line about the clock, the times cell by cell, and each peer's summary."""
    from mlpjit.cli.tables import table

    sides = found.sides()
    by_cell: dict[str, dict[str, str]] = {}
    for timing in found.timings:
        ratio = "" if timing.side == sides[0] else f" ({timing.ratio:.2f}x)" + ("" if timing.agrees else "*")
        by_cell.setdefault(timing.cell, {})[timing.side] = f"{timing.seconds * 1e6:.1f}{ratio}"
    busy = max((t.wall_seconds / t.seconds for t in found.timings), default=1.0)
    place = "not pinned" if found.core is None else f"pinned to CPU {found.core}"
    versions = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    yield f"microseconds a training step of one run (times mlpjit's), one thread, {place}; {versions}" + (
        f"; other work shared the core (wall time up to {busy:.1f} times longer)" if busy > BUSY else ""
    )
    rows = [(cell, *(times.get(side, "-") for side in sides)) for cell, times in by_cell.items()]
    yield table(("cell", *sides), rows, range(1, len(sides) + 1))
    if not all(timing.agrees for timing in found.timings):
        yield "* did not reach mlpjit's training loss"
    header = ("peer", "cells", "number", "geometric mean", "worst cell", "ratio", "other loss")
    yield table(header, [_summary(each) for each in found.summaries()], (2, 3, 5))


def _summary(row: object) -> tuple[object, ...]:
    from mlpjit.measure.peers.side_by_side import Summary

    assert isinstance(row, Summary)
    mean, worst = f"{row.geometric_mean:.2f}x", f"{row.worst_ratio:.2f}x"
    return row.side, row.group, row.cells, mean, row.worst_cell, worst, ", ".join(row.other_loss) or "none"
