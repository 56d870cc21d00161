"""Batch normalization between z and the activation: train and evaluation forward, exact backward.

Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1. Biased batch variance, eps 1e-5 where none is given;
running statistics as in PyTorch: momentum 0.1, unbiased variance. Sums over the batch run in the order of its rows.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Real, Reals, fma, kernel, load, offset, real, sqrt, store

RUNNING_SHARE = 0.1


@kernel
def normalize_batch(
    rows: Int, columns: Int, z: Reals, stride: Int, gamma: Reals, beta: Reals, normalized: Reals, inverse: Reals,
    running: Reals, eps: Real,
) -> None:  # fmt: skip
    """z = gamma zhat + beta with the batch's own statistics; keeps zhat and 1/std; moves the running ones.

    `inverse` and `running` hold `columns` numbers each: 1/std; the running means, then the running variances.
    """
    mean, variance = offset(normalized, 0), offset(inverse, 0)
    count = real(rows)
    for j in range(columns):
        store(mean, j, real(0.0))
    for i in range(rows):
        row = offset(z, i * stride)
        for j in range(columns):
            store(mean, j, load(mean, j) + load(row, j))
    for j in range(columns):
        average = load(mean, j) / count
        store(running, j, fma(RUNNING_SHARE, average - load(running, j), load(running, j)))
        store(mean, j, average)
        store(variance, j, real(0.0))
    for i in range(rows):
        row = offset(z, i * stride)
        for j in range(columns):
            centred = load(row, j) - load(mean, j)
            store(row, j, centred)
            store(variance, j, fma(centred, centred, load(variance, j)))
    for j in range(columns):
        total, at = load(variance, j), columns + j
        store(running, at, fma(RUNNING_SHARE, total / (count - 1.0) - load(running, at), load(running, at)))
        store(inverse, j, 1.0 / sqrt(total / count + eps))
    for i in range(rows):
        row, kept = offset(z, i * stride), offset(normalized, i * stride)
        for j in range(columns):
            value = load(row, j) * load(inverse, j)
            store(kept, j, value)
            store(row, j, fma(load(gamma, j), value, load(beta, j)))


@kernel
def normalize_running(
    rows: Int, columns: Int, z: Reals, stride: Int, gamma: Reals, beta: Reals, running: Reals, eps: Real
) -> None:
    """z = gamma (z - mean) / sqrt(variance + eps) + beta with the running statistics."""
    for i in range(rows):
        row = offset(z, i * stride)
        for j in range(columns):
            factor = load(gamma, j) / sqrt(load(running, columns + j) + eps)
            store(row, j, fma(factor, load(row, j) - load(running, j), load(beta, j)))


@kernel
def normalize_backward(
    rows: Int, columns: Int, delta: Reals, stride: Int, gamma: Reals, normalized: Reals, inverse: Reals,
    gamma_gradient: Reals, beta_gradient: Reals,
) -> None:  # fmt: skip
    """Delta at the output becomes delta at z: gamma/std (d - mean d - zhat mean(d zhat)); also d gamma, d beta."""
    count = real(rows)
    for j in range(columns):
        store(gamma_gradient, j, real(0.0))
        store(beta_gradient, j, real(0.0))
    for i in range(rows):
        row, kept = offset(delta, i * stride), offset(normalized, i * stride)
        for j in range(columns):
            d = load(row, j)
            store(gamma_gradient, j, fma(d, load(kept, j), load(gamma_gradient, j)))
            store(beta_gradient, j, load(beta_gradient, j) + d)
    for i in range(rows):
        row, kept = offset(delta, i * stride), offset(normalized, i * stride)
        for j in range(columns):
            rest = load(row, j) - load(beta_gradient, j) / count
            rest = fma(-load(kept, j), load(gamma_gradient, j) / count, rest)
            store(row, j, load(gamma, j) * load(inverse, j) * rest)
