"""The loops of elementwise optimizers, activations and losses work on vectors; optimizers check for no overlap."""

from __future__ import annotations

from typing import Any

import numba
import pytest
from oracles.llvm_loops import overlap_checks, vector_stores

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.compiler.linking import signature_of
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Int, Kernel, Reals, device, device_float64, kernel, load, store
from mlpjit.kernels.network.activation_loops import activation_loop
from mlpjit.kernels.network.activation_rules import linked_names as activation_names
from mlpjit.kernels.network.activations import activations
from mlpjit.kernels.network.loss_rules import parts
from mlpjit.kernels.network.losses import losses
from mlpjit.kernels.optimizers import optimizers
from mlpjit.kernels.stages.stage import elementwise_loop, linked_names

ELEMENTWISE = [record for record in optimizers.records() if record.kind == "elementwise"]
# Without an instruction for it LLVM calls fma number by number.
pytestmark = pytest.mark.skipif("+fma" not in jit.target()[2] and "x86" in jit.target()[0], reason="no FMA instruction")


def ir_of(record: Kernel, names: dict[str, Any], dtype: str) -> str:
    made = numba.cfunc(signature_of(record, dtype), **jit.OPTIONS)
    return made(jit.link(record.function, dtype, names)).inspect_llvm()


def rate_only(step, learning_rate):
    return (learning_rate,)


def seven_states(g, theta, a, b, c, d, e, f, h, rate):
    return rate * (g + theta), a + g, b + a, c + b, d + c, e + d, f + e, h + f


SEVEN = Stage(
    "seven_states", device(seven_states), "-", "-", state=tuple("abcdefh"), scalars=device_float64(rate_only),
    uses_params=True, decays=True,
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", [*ELEMENTWISE, SEVEN], ids=lambda record: record.name)
def test_the_loop_is_vectorized(record, dtype):
    """Parameters and each state are written as vectors; a state that keeps where it began is not written at all."""
    ir = ir_of(elementwise_loop, linked_names(record), dtype)
    assert vector_stores(ir) >= 1 + len(record.state) - list(record.initial.values()).count("params")
    assert overlap_checks(ir) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", activations.records(), ids=lambda record: record.name)
def test_activations_are_vectorized(record, dtype):
    """A rule that is called for each number, or branches, takes ten times as long. The identity only copies."""
    wanted = 1 if record.name == "identity" else 2
    assert vector_stores(ir_of(activation_loop, activation_names(record), dtype)) >= wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("record", [r for r in losses.records() if r.kernel is None], ids=lambda record: record.name)
def test_losses_are_vectorized(record, dtype):
    """The block's slopes and values; gathering and adding up go number by number."""
    assert vector_stores(ir_of(*parts(record), dtype)) >= 2


@kernel
def recurrence(count: Int, x: Reals) -> None:
    """Each entry needs the one before."""
    for i in range(count):
        store(x, i, load(x, i) * load(x, i - 1))


@kernel
def may_overlap(count: Int, x: Reals, y: Reals) -> None:
    """Nothing says that x and y are apart."""
    for i in range(count):
        store(x, i, load(y, i) * load(y, i))


def test_what_is_not_vectorized_or_checks_is_found():
    assert vector_stores(ir_of(recurrence, {}, "float32")) == 0
    assert overlap_checks(ir_of(may_overlap, {}, "float32")) > 0
