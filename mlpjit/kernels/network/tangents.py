"""Directional derivatives R{.} of activations and softmax, forward and back (Pearlmutter 1994).

R{f(theta)} is d/dr f(theta + r v) at r = 0. Every kernel here is the derivative of one in `losses` or
`passes`, and its sums run in the same order. In names, `moved` is R of what it stands beside.
"""

from __future__ import annotations

from mlpjit.kernels.language import (
    Int,
    Reals,
    fma,
    kernel,
    load,
    offset,
    real,
    store,
)


@kernel
def softmax_tangent(rows: Int, outputs: Int, p: Reals, stride: Int, moved: Reals, out: Reals) -> None:
    """R p = p (Rz - sum p Rz), row by row, to `out` and over Rz in `moved`."""
    for i in range(rows):
        share, row, kept = offset(p, i * stride), offset(moved, i * stride), offset(out, i * stride)
        mean = real(0.0)
        for j in range(outputs):
            mean = fma(load(share, j), load(row, j), mean)
        for j in range(outputs):
            store(kept, j, load(share, j) * (load(row, j) - mean))
        for j in range(outputs):
            store(row, j, load(kept, j))


@kernel
def softmax_gradient_tangent(
    rows: Int, outputs: Int, p: Reals, g: Reals, g_moved: Reals, stride: Int, delta: Reals, moved: Reals
) -> None:
    """delta = p (g - m), R delta = Rp (g - m) + p (Rg - Rm), m = sum p g, Rm = sum (Rp g + p Rg), row by row.

    `moved` holds Rp and becomes R delta.
    """
    for i in range(rows):
        at = i * stride
        share, share_moved, out = offset(p, at), offset(moved, at), offset(delta, at)
        row, row_moved = offset(g, at), offset(g_moved, at)
        mean, mean_moved = real(0.0), real(0.0)
        for j in range(outputs):
            mean = fma(load(share, j), load(row, j), mean)
            mean_moved = fma(load(share_moved, j), load(row, j), mean_moved)
            mean_moved = fma(load(share, j), load(row_moved, j), mean_moved)
        for j in range(outputs):
            rest = load(row, j) - mean
            own = load(share, j) * (load(row_moved, j) - mean_moved)
            store(share_moved, j, fma(load(share_moved, j), rest, own))
            store(out, j, load(share, j) * rest)


@kernel
def activation_tangent(count: Int, slope: Reals, bend: Reals, z_moved: Reals, a_moved: Reals) -> None:
    """Ra = f'(z) Rz; then f''(z) Rz, which the way back needs, replaces Rz."""
    for i in range(count):
        store(a_moved, i, load(slope, i) * load(z_moved, i))
        store(z_moved, i, load(bend, i) * load(z_moved, i))


@kernel
def delta_tangent(count: Int, s: Reals, s_moved: Reals, delta: Reals, delta_moved: Reals) -> None:
    """delta = s f'(z) and R delta = Rs f'(z) + s f''(z) Rz, over f'(z) and f''(z) Rz."""
    for i in range(count):
        own = load(s, i) * load(delta_moved, i)
        store(delta_moved, i, fma(load(s_moved, i), load(delta, i), own))
        store(delta, i, load(s, i) * load(delta, i))
