"""What an experiment sets in a run: shares of the update by tensor and step, and tensors that stay as they are.

Only runs that were given shares have them: `steered` says so. `mlpjit.training.steering` fills the arrays in.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import copy_matrix
from mlpjit.kernels.language import (
    Int,
    Ints,
    Reals,
    device,
    float64s,
    fma,
    ints,
    kernel,
    load,
    offset,
    real,
    reals,
    store,
)
from mlpjit.kernels.tables import ARRAY, FROZEN, PLAN, TENSOR


@device
def steered(arrays):
    """Say whether a run has shares."""
    return load(arrays, ARRAY.shares) != 0


@kernel
def hold_back(plan: Ints, arrays: Ints, values: Reals) -> None:
    """Set what is packed like the parameters to 0 in frozen tensors: they are no parameters of the loss."""
    tensors = ints(arrays, ARRAY.tensors)
    for t in range(load(plan, PLAN.tensor_count)):
        tensor = offset(tensors, t * len(TENSOR))
        if load(tensor, TENSOR.kind) == FROZEN:
            held = offset(values, load(tensor, TENSOR.at))
            for i in range(load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)):
                store(held, i, real(0.0))


@kernel
def note_params(plan: Ints, arrays: Ints) -> None:
    """Keep the parameters as they are before a step."""
    copy_matrix(load(plan, PLAN.parameters), reals(arrays, ARRAY.params), reals(arrays, ARRAY.noted))


@kernel
def share_update(plan: Ints, arrays: Ints, step: Int) -> None:
    """Have each tensor go its share of what the step did: all of it where that is 1, nothing where it is 0."""
    tensors, count = ints(arrays, ARRAY.tensors), load(plan, PLAN.tensor_count)
    shares = offset(float64s(arrays, ARRAY.shares), (step - 1) * count)
    for t in range(count):
        tensor, share = offset(tensors, t * len(TENSOR)), load(shares, t)
        theta = offset(reals(arrays, ARRAY.params), load(tensor, TENSOR.at))
        before = offset(reals(arrays, ARRAY.noted), load(tensor, TENSOR.at))
        if share != 1.0:
            for i in range(load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)):
                start = load(before, i)
                store(theta, i, start if share == 0.0 else fma(real(share), load(theta, i) - start, start))
