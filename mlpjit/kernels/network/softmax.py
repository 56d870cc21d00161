"""Softmax over rows as an output's activation, and its gradient."""

from __future__ import annotations

from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.language import Int, Reals, kernel, load, offset, real, select, store

exp = elementary.exp


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
