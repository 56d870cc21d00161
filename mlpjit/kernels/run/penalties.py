"""What acts on the weight matrices alone: penalties, which join the loss and its gradient, and decoupled decay."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import add_multiple, sum_of_sizes
from mlpjit.kernels.language import (
    Float64,
    Int,
    Ints,
    Real,
    Reals,
    absolute,
    copysign,
    dot,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    select,
    store,
)
from mlpjit.kernels.tables import ARRAY, NUMBER, PLAN, TENSOR, WEIGHT


@kernel
def penalty(plan: Ints, arrays: Ints, differentiate: Int) -> Float64:
    """Return l1 sum |W| + l2/2 |W|^2 over all weight matrices and, with `differentiate`, add the gradient."""
    numbers, tensors = float64s(arrays, ARRAY.numbers), ints(arrays, ARRAY.tensors)
    l1, l2, total = load(numbers, NUMBER.l1), load(numbers, NUMBER.l2), float64(0)
    for t in range(load(plan, PLAN.tensor_count) if l1 != 0.0 or l2 != 0.0 else 0):
        tensor = offset(tensors, t * len(TENSOR))
        if load(tensor, TENSOR.kind) == WEIGHT:
            size = load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)
            w, g = offset(reals(arrays, ARRAY.params), load(tensor, TENSOR.at)), reals(arrays, ARRAY.grads)
            g = offset(g, load(tensor, TENSOR.at))
            if l1 != 0.0:
                total += l1 * sum_of_sizes(size, w)
            if l1 != 0.0 and differentiate != 0:
                add_signs(size, real(l1), w, g)
            if l2 != 0.0:
                total += 0.5 * l2 * dot(w, w, size)
            if l2 != 0.0 and differentiate != 0:
                add_multiple(size, real(l2), w, g)
    return total


@kernel
def add_signs(count: Int, factor: Real, x: Reals, y: Reals) -> None:
    """y += factor sign(x), nothing where x is 0."""
    for i in range(count):
        entry = load(x, i)
        store(y, i, load(y, i) + select(absolute(entry) > 0.0, copysign(factor, entry), entry))


@kernel
def penalty_curvature(plan: Ints, arrays: Ints, vector: Reals, result: Reals) -> None:
    """Add the penalties' part of the Hessian times a vector: l2 of the weights' entries."""
    tensors, l2 = ints(arrays, ARRAY.tensors), load(float64s(arrays, ARRAY.numbers), NUMBER.l2)
    for t in range(load(plan, PLAN.tensor_count) if l2 != 0.0 else 0):
        tensor = offset(tensors, t * len(TENSOR))
        if load(tensor, TENSOR.kind) == WEIGHT:
            at, size = load(tensor, TENSOR.at), load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)
            add_multiple(size, real(l2), offset(vector, at), offset(result, at))


@kernel
def decay_weights(plan: Ints, arrays: Ints, amount: Float64) -> None:
    """W -= amount W for every weight matrix (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    tensors = ints(arrays, ARRAY.tensors)
    for t in range(load(plan, PLAN.tensor_count)):
        tensor = offset(tensors, t * len(TENSOR))
        if load(tensor, TENSOR.kind) == WEIGHT:
            w = offset(reals(arrays, ARRAY.params), load(tensor, TENSOR.at))
            for i in range(load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)):
                store(w, i, load(w, i) - real(amount) * load(w, i))
