"""The README's table of many small runs, from results/reference/small_runs.json, printed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[2] / "results" / "reference" / "small_runs.json"
TITLES = {
    "one_shape_40": "one shape, 40", "one_shape_3200": "one shape, 3,200", "one_shape_32000": "one shape, 32,000",
    "mixed_3200": "80 shapes, 3,200", "reference_sweep": "reference sweep, 1,152", "quick": "`quick`, 1,960",
}  # fmt: skip
HEADER = ("runs", "before", "mlpjit", "with two threads", "JAX `vmap`", "JAX `map`", "first time", "JAX's first time")


def table(found: Mapping[str, Any]) -> str:
    """Return the table as Markdown: seconds of cores, and how many times ours the others need."""
    rows = [HEADER, ("---",) * len(HEADER), *(row(case, sides) for case, sides in found["medians"].items())]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def row(case: str, sides: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    ours = sides.get("mlpjit, 1 thread, warm") or sides.get("mlpjit, 2 threads, warm")
    before = next((taken for name, taken in sides.items() if earlier(name)), None)
    jax, cold = ([sides.get(f"JAX {how}, {kind}") for how in ("vmap", "map")] for kind in ("warm", "cold"))
    fastest = min((each for each in cold if each), key=lambda taken: taken["core_seconds"], default=None)
    return (
        TITLES[case], beside(before, ours), told(ours), threads(sides), *(beside(each, ours) for each in jax),
        told(sides.get("mlpjit, 2 threads, cold")), told(fastest),
    )  # fmt: skip


def earlier(name: str) -> bool:
    """Say whether a side is an earlier revision with one thread, or where there is no such, with warm caches."""
    return not name.startswith(("mlpjit", "JAX")) and name.endswith("warm")


def told(taken: Mapping[str, float] | None) -> str:
    return f"{taken['core_seconds']:.1f} s" if taken else ""


def beside(taken: Mapping[str, float] | None, ours: Mapping[str, float] | None) -> str:
    if not taken or not ours:
        return ""
    return f"{told(taken)} ({taken['core_seconds'] / ours['core_seconds']:.1f} x)"


def threads(sides: Mapping[str, Mapping[str, float]]) -> str:
    """Return how many times as fast two threads are by the clock on the wall."""
    one, two = (sides.get(f"mlpjit, {count}, warm") for count in ("1 thread", "2 threads"))
    return f"{one['wall_seconds'] / two['wall_seconds']:.2f} x" if one and two else ""


if __name__ == "__main__":
    print(table(json.loads(RESULT.read_text(encoding="utf-8"))))
