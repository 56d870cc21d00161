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
from mlpjit.kernels.stages.stage import COLUMNS, KIND, OFFSET, ROWS, TENSOR_COLUMNS
from mlpjit.kernels.tables import GRADS, L1, L2, NUMBERS, PARAMS, TENSOR_COUNT, TENSORS, WEIGHT


@kernel
def penalty(plan: Ints, arrays: Ints, differentiate: Int) -> Float64:
    """Return l1 sum |W| + l2/2 |W|^2 over all weight matrices and, with `differentiate`, add the gradient."""
    numbers, tensors = float64s(arrays, NUMBERS), ints(arrays, TENSORS)
    l1, l2, total = load(numbers, L1), load(numbers, L2), float64(0)
    for t in range(load(plan, TENSOR_COUNT) if l1 != 0.0 or l2 != 0.0 else 0):
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        if load(tensor, KIND) == WEIGHT:
            size = load(tensor, ROWS) * load(tensor, COLUMNS)
            w, g = offset(reals(arrays, PARAMS), load(tensor, OFFSET)), reals(arrays, GRADS)
            g = offset(g, load(tensor, OFFSET))
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
    tensors, l2 = ints(arrays, TENSORS), load(float64s(arrays, NUMBERS), L2)
    for t in range(load(plan, TENSOR_COUNT) if l2 != 0.0 else 0):
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        if load(tensor, KIND) == WEIGHT:
            at, size = load(tensor, OFFSET), load(tensor, ROWS) * load(tensor, COLUMNS)
            add_multiple(size, real(l2), offset(vector, at), offset(result, at))


@kernel
def decay_weights(plan: Ints, arrays: Ints, amount: Float64) -> None:
    """W -= amount W for every weight matrix (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    tensors = ints(arrays, TENSORS)
    for t in range(load(plan, TENSOR_COUNT)):
        tensor = offset(tensors, t * TENSOR_COLUMNS)
        if load(tensor, KIND) == WEIGHT:
            w = offset(reals(arrays, PARAMS), load(tensor, OFFSET))
            for i in range(load(tensor, ROWS) * load(tensor, COLUMNS)):
                store(w, i, load(w, i) - real(amount) * load(w, i))
