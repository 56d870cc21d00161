"""Losses over rows of outputs: the sum of the rows' losses, and the delta left where the outputs were.

Targets are one dense (rows, outputs) array. Deltas are divided by the number of samples, so gradients are of the
mean over samples (source section 3; MSE sums over outputs and has no 1/2).
"""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels import elementary
from mlpjit.kernels.rules import (
    Float64,
    Function,
    Int,
    Kernel,
    Real,
    Reals,
    Rule,
    float64,
    kernel,
    load,
    offset,
    pointer,
    real,
    select,
    store,
)
from mlpjit.registry import Registry

exp, log = elementary.exp, elementary.log


@pointer
def call_loss(rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, scale: Real) -> Float64:
    """Return the sum of the rows' losses; `predicted` becomes `scale` times its gradient."""


losses: Registry[Rule] = Registry("loss")
LOOPS: dict[str, Kernel] = {}


def loss(formula: str, citation: str) -> Callable[[Function], Kernel]:
    """Register a kernel with the signature of `call_loss`."""

    def register(function: Function) -> Kernel:
        made = kernel(function)
        LOOPS[made.name] = made
        losses.register(Rule(made.name, function, formula, citation))
        return made

    return register


@loss("L = (1/n) sum_i |yhat_i - y_i|^2", "source 3.1")
def mse(rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, scale: Real) -> Float64:
    """Mean squared error: mean over samples, sum over outputs."""
    total = 0.0
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        for j in range(outputs):
            difference = load(row, j) - load(wanted, j)
            total += float64(difference) * float64(difference)
            store(row, j, (difference + difference) * scale)
    return float64(total)


@loss("L = -(1/n) sum_i sum_k y_ik log softmax(z_i)_k", "source 3.2")
def cross_entropy(rows: Int, outputs: Int, predicted: Reals, stride: Int, targets: Reals, scale: Real) -> Float64:
    """Softmax cross-entropy from logits, by log-sum-exp."""
    total = 0.0
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        largest = load(row, 0)
        for j in range(1, outputs):
            z = load(row, j)
            largest = select(z > largest, z, largest)
        linear = real(0.0)
        for j in range(outputs):
            shifted, y = load(row, j) - largest, load(wanted, j)
            # 0 times an infinite logit is 0: a class that is not wanted does not count.
            linear += select(y == 0.0, y, y * shifted)
            store(row, j, shifted)
        total -= float64(linear)
    # All rows at once, with what pads them: a loop over one row's few classes would not vectorize.
    for at in range(rows * stride):
        store(predicted, at, exp(load(predicted, at)))
    for i in range(rows):
        row, wanted = offset(predicted, i * stride), offset(targets, i * outputs)
        mass = real(0.0)
        weight = mass
        for j in range(outputs):
            mass += load(row, j)
            weight += load(wanted, j)
        total += float64(weight * log(mass))
        share = weight / mass
        for j in range(outputs):
            store(row, j, (load(row, j) * share - load(wanted, j)) * scale)
    return float64(total)


@kernel
def softmax_rows(rows: Int, outputs: Int, a: Reals, z: Reals, stride: Int) -> None:
    """a = softmax(z), row by row; the probabilities replace z too, for the backward pass."""
    for i in range(rows):
        row, out = offset(z, i * stride), offset(a, i * stride)
        largest = load(row, 0)
        for j in range(1, outputs):
            largest = select(load(row, j) > largest, load(row, j), largest)
        mass = real(0.0)
        for j in range(outputs):
            grown = exp(load(row, j) - largest)
            mass += grown
            store(out, j, grown)
        for j in range(outputs):
            share = load(out, j) / mass
            store(out, j, share)
            store(row, j, share)


@kernel
def softmax_gradient(rows: Int, outputs: Int, a: Reals, gradient: Reals, stride: Int, delta: Reals) -> None:
    """delta = J^T gradient with softmax's full Jacobian, row by row: a (g - sum a g)."""
    for i in range(rows):
        value, row, out = offset(a, i * stride), offset(gradient, i * stride), offset(delta, i * stride)
        mean = real(0.0)
        for j in range(outputs):
            mean += load(value, j) * load(row, j)
        for j in range(outputs):
            store(out, j, load(value, j) * (load(row, j) - mean))
