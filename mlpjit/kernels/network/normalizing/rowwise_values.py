"""Rows brought to mean 0 and variance 1, or to root mean square 1, and the exact way back."""

from __future__ import annotations

from mlpjit.kernels.language import Int, Real, Reals, dot, fma, kernel, load, offset, real, sqrt, store, summed


@kernel
def normalize_rows(
    rows: Int, columns: Int, z: Reals, stride: Int, centred: Int, gamma: Reals, beta: Reals, normalized: Reals,
    inverse: Reals, eps: Real,
) -> None:  # fmt: skip
    """z = gamma zhat + beta, zhat = (z - m) / sqrt(mean (z - m)^2 + eps); m is the row's mean, or 0 unless `centred`.

    Keeps zhat, and 1 / sqrt of each row. What pads the rows stays as it is.
    """
    for i in range(rows):
        row, kept = offset(z, i * stride), offset(normalized, i * stride)
        middle = real(summed(row, columns) / columns) if centred != 0 else real(0.0)
        for j in range(columns):
            store(kept, j, load(row, j) - middle)
        scale = real(1.0 / sqrt(dot(kept, kept, columns) / columns + eps))
        store(inverse, i, scale)
        for j in range(columns):
            value = load(kept, j) * scale
            store(kept, j, value)
            store(row, j, fma(load(gamma, j), value, load(beta, j)))


@kernel
def normalize_rows_back(
    rows: Int, columns: Int, delta: Reals, stride: Int, centred: Int, gamma: Reals, normalized: Reals, inverse: Reals,
    gamma_gradient: Reals, beta_gradient: Reals,
) -> None:  # fmt: skip
    """With d = gamma delta, delta becomes (d - mean d - zhat mean(d zhat)) inverse; mean d is 0 unless `centred`."""
    for j in range(columns):
        store(gamma_gradient, j, real(0.0))
        store(beta_gradient, j, real(0.0))
    for i in range(rows):
        row, kept = offset(delta, i * stride), offset(normalized, i * stride)
        for j in range(columns):
            d = load(row, j)
            store(gamma_gradient, j, fma(d, load(kept, j), load(gamma_gradient, j)))
            store(beta_gradient, j, load(beta_gradient, j) + d)
            store(row, j, load(gamma, j) * d)
        middle = real(summed(row, columns) / columns) if centred != 0 else real(0.0)
        overlap, scale = real(dot(row, kept, columns) / columns), load(inverse, i)
        for j in range(columns):
            store(row, j, scale * fma(-load(kept, j), overlap, load(row, j) - middle))
