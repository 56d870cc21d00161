"""The table of what can be timed, by name: every kernel, every registered rule, the training step.

`cases()` gives the names at once; `Case.make()` compiles, prepares the arrays and returns the `Work` to put on the
clock. A new activation, loss, optimizer or clipping rule has its case by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion

if TYPE_CHECKING:
    from mlpjit.measure.cases.work import Work

WIDTHS = (16, 64, 128, 256, 37)
PRODUCTS = ("forward_product", "input_gradient", "weight_gradient")
INITIALIZERS = ("he_normal", "orthogonal")
# depth x width, activation, optimizer, batch size
STEPS = (
    (4, 64, "tanh", "adam", 64),
    (4, 128, "tanh", "adam", 64),
    (4, 256, "tanh", "adam", 64),
    (4, 16, "tanh", "adam", 64),
    (4, 64, "relu", "adam", 64),
    (4, 64, "gelu", "sgd", 64),
    (16, 64, "tanh", "adam", 64),
    (2, 32, "tanh", "adam", 1),
    (2, 64, "tanh", "adam", 8),
)


@dataclass(frozen=True)
class Case:
    """One thing to time. `make()` does all that is not to be timed; names are `group/what/.../dtype`."""

    name: str
    group: str
    dtype: str
    make: Callable[[], Work]


def cases(dtype: str = "float32") -> dict[str, Case]:
    """Return every case of a dtype by name, kernels first, training steps last. Imports no Numba."""
    return {case.name: case for case in _all(dtype)}


def case(name: str) -> Case:
    """Return one case; ConfigError with the nearest name where there is none."""
    known = cases("float64" if name.endswith("/float64") else "float32")
    if name not in known:
        raise ConfigError(f"unknown case {name!r}{suggestion(name, known)}")
    return known[name]


def _made(module: str, function: str, *arguments: object) -> Work:
    work: Work = getattr(import_module(f"mlpjit.measure.cases.{module}"), function)(*arguments)
    return work


def _case(group: str, parts: tuple[object, ...], dtype: str, module: str, function: str, *arguments: object) -> Case:
    name = "/".join([group, *map(str, parts), dtype])
    return Case(name, group, dtype, partial(_made, module, function, *arguments, dtype))


def _all(dtype: str) -> Iterator[Case]:
    from mlpjit.catalogue import registries

    for product in PRODUCTS:
        for width in WIDTHS:
            yield _case("product", (product, width), dtype, "products", product, width)
    for name in registries.activations:
        yield _case("activation", (name,), dtype, "entries", "activation", name)
    for name in registries.losses:
        yield _case("loss", (name,), dtype, "entries", "loss", name)
    for name in registries.optimizers:
        yield _case("optimizer", (name,), dtype, "entries", "optimizer", name)
    for name in registries.clippings:
        yield _case("clipping", (name,), dtype, "entries", "clipping", name)
    for name in ("batch_forward", "batch_backward", "rows_forward", "rows_backward"):
        yield _case("normalization", (name,), dtype, "pieces", name)
    for name in ("gather", "refresh_weights", "forward", "gradient"):
        yield _case("pass", (name,), dtype, "pieces", name)
    for name in ("uniform", "mask", "permutation"):
        yield _case("random", (name,), dtype, "pieces", name)
    yield from _surroundings(dtype, registries.schedules)
    yield _case("step", ("4x64", "constrained"), dtype, "wholes", "constrained_step")
    for depth, width, activation, optimizer, batch in STEPS:
        parts = (f"{depth}x{width}", activation, optimizer, f"b{batch}")
        yield _case("step", parts, dtype, "steps", "training_step", depth, width, activation, optimizer, batch)


def _surroundings(dtype: str, schedules: Iterable[str]) -> Iterator[Case]:
    yield _case("pass", ("column_sums",), dtype, "wholes", "column_sums")
    yield _case("run", ("evaluate",), dtype, "wholes", "evaluate")
    yield _case("run", ("construction",), dtype, "wholes", "construction")
    yield _case("run", ("short",), dtype, "wholes", "short_run")
    for name in schedules:
        yield _case("schedule", (name,), dtype, "wholes", "schedule", name)
    yield _case("init", ("orthonormal_rows",), dtype, "wholes", "orthonormal_rows")
    for name in INITIALIZERS:
        yield _case("init", (name,), dtype, "wholes", "initializer", name)
