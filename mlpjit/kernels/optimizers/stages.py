"""What a stage of a training step is: its C signature, what it may ask for, and the loops of elementwise rules.

A stage is called with phase 0, 1, 2, ... It returns DONE, or what it needs before the next phase: the gradient or
the loss at the parameters as they now stand (same batch). The run serves it and counts it.
"""

from __future__ import annotations

from mlpjit.kernels.rules import (
    Float64,
    Float64s,
    Int,
    Ints,
    Kernel,
    Primitive,
    Reals,
    kernel,
    load,
    offset,
    pointer,
    store,
)

DONE, NEED_GRADIENT, NEED_LOSS = 0, 1, 2
# Columns of the table of tensors: where a tensor begins in the packed buffer, its shape, its kind.
OFFSET, ROWS, COLUMNS, KIND, TENSOR_COLUMNS = 0, 1, 2, 3, 4
WEIGHT, BIAS, GAMMA, BETA = 0, 1, 2, 3

unpack = Primitive("unpack")
rounded = Primitive("rounded")


@pointer
def call_stage(
    phase: Int, step: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals, settings: Float64s,
    learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Do one phase of a step (counted from 1) over `count` parameters; return DONE or what is needed."""


# The three loops below differ in the number of state arrays only. `rule`, `scalars` and SETTINGS are filled in
# when the loop is compiled: scalars(step, learning_rate, *settings) runs in float64 once a step, its results are
# rounded once, and rule(g, *state, *scalars) returns the update and the new state.


@kernel
def stateless_loop(
    phase: Int, step: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals, settings: Float64s,
    learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """theta -= rule(g)."""
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    for i in range(count):
        update = rule(load(grads, i), *values)  # noqa: F821
        store(params, i, load(params, i) - update)
    return DONE


@kernel
def one_state_loop(
    phase: Int, step: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals, settings: Float64s,
    learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """theta -= rule(g, a), with a kept from step to step."""
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    for i in range(count):
        update, first = rule(load(grads, i), load(state, i), *values)  # noqa: F821
        store(state, i, first)
        store(params, i, load(params, i) - update)
    return DONE


@kernel
def two_state_loop(
    phase: Int, step: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals, settings: Float64s,
    learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """theta -= rule(g, a, b), with a and b kept from step to step."""
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    other = offset(state, count)
    for i in range(count):
        update, first, second = rule(load(grads, i), load(state, i), load(other, i), *values)  # noqa: F821
        store(state, i, first)
        store(other, i, second)
        store(params, i, load(params, i) - update)
    return DONE


LOOPS: dict[int, Kernel] = {0: stateless_loop, 1: one_state_loop, 2: two_state_loop}
