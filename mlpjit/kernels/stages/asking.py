"""The loops of elementwise rules that ask for more than one gradient; each asks once a step, in phase 0.

`rule`, `look`, `scalars` and the names in capitals are filled in as those of `elementwise_loop` are. The rule takes
what was asked for behind g: rule(g, asked, [theta,] *states, *scalars); `look(theta, g, *states, *scalars)` says where.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.random import fill_signs
from mlpjit.kernels.language import Float64, Float64s, Int, Ints, Kernel, Reals, kernel, load, offset, store
from mlpjit.kernels.stages.draws import OPTIMIZER_STREAM, seed_of
from mlpjit.kernels.stages.stage import (
    DONE,
    NEED_GRADIENT,
    NEED_HVP,
    load_states,
    repeated,
    rounded,
    store_states,
    unpack,
    update_of,
)


@kernel
def looking_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Ask for the gradient at look(theta, g), then step from theta by the rule, which takes it behind g."""
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    first = offset(scratch, count)
    if phase == 0:
        for i in range(count):
            theta, given = load(params, i), load(grads, i)
            store(scratch, i, theta)
            store(first, i, given)
            store(params, i, look(theta, given, *load_states(state, count, i, STATES), *values))  # noqa: F821
        return NEED_GRADIENT
    for i in range(count):
        theta, kept = load(scratch, i), load_states(state, count, i, STATES)  # noqa: F821
        result = rule(load(first, i), load(grads, i), *repeated(theta, USES_PARAMS), *kept, *values)  # noqa: F821
        store_states(state, count, i, result)
        store(params, i, theta - update_of(result))
    return DONE


@kernel
def product_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Ask for the product of the Hessian with v = look(theta, g), then step by the rule, which takes H v behind g."""
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    product = offset(scratch, count)
    if phase == 0:
        for i in range(count):
            theta, given, kept = load(params, i), load(grads, i), load_states(state, count, i, STATES)  # noqa: F821
            store(scratch, i, look(theta, given, *kept, *values))  # noqa: F821
        return NEED_HVP
    for i in range(count):
        theta, kept = load(params, i), load_states(state, count, i, STATES)  # noqa: F821
        result = rule(load(grads, i), load(product, i), *repeated(theta, USES_PARAMS), *kept, *values)  # noqa: F821
        store_states(state, count, i, result)
        store(params, i, theta - update_of(result))
    return DONE


@kernel
def diagonal_loop(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Ask for H z with random signs z, then step by the rule, which takes z (H z) behind g: the Hessian's diagonal."""
    if phase == 0:
        seed = seed_of(load(settings, SETTINGS), load(settings, SETTINGS + 1))  # noqa: F821
        fill_signs(seed, OPTIMIZER_STREAM, step, count, scratch)
        return NEED_HVP
    values = rounded(grads, scalars(step, learning_rate, *unpack(settings, SETTINGS)))  # noqa: F821
    product = offset(scratch, count)
    for i in range(count):
        theta, kept = load(params, i), load_states(state, count, i, STATES)  # noqa: F821
        diagonal = load(scratch, i) * load(product, i)
        result = rule(load(grads, i), diagonal, *repeated(theta, USES_PARAMS), *kept, *values)  # noqa: F821
        store_states(state, count, i, result)
        store(params, i, theta - update_of(result))
    return DONE


ASKING: dict[str, Kernel] = {"gradient": looking_loop, "product": product_loop, "diagonal": diagonal_loop}
