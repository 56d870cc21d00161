"""Muon: momentum whose singular values are made equal."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    WEIGHT,
    Float64,
    device,
    fma,
    layerwise,
    load,
    newton_schulz,
    offset,
    one_minus_power,
    real,
    sqrt,
    squares,
    store,
    wide,
)


@device
def adam_step(step, size, b1, b2, eps, rate, params, grads, mu, nu):
    """Adam on a tensor."""
    keep1, rest1, keep2, rest2 = real(b1), real(1.0 - b1), real(b2), real(1.0 - b2)
    below, floor = real(1.0 / one_minus_power(b2, step)), real(eps)
    stride = real(rate / one_minus_power(b1, step))
    for i in range(size):
        g = load(grads, i)
        first, second = fma(keep1, load(mu, i), rest1 * g), fma(keep2, load(nu, i), rest2 * g * g)
        store(mu, i, first)
        store(nu, i, second)
        store(params, i, fma(-stride, first / (sqrt(second * below) + floor), load(params, i)))


@device
def average_gradient(size, b, pull, part, grads, mu, update):
    """m = b m + (1 - b) g; update = pull m + part g."""
    keep, rest, pulled, added = real(b), real(1.0 - b), real(pull), real(part)
    for i in range(size):
        g = load(grads, i)
        moved = fma(keep, load(mu, i), rest * g)
        store(mu, i, moved)
        store(update, i, fma(pulled, moved, added * g))


@device
def orthogonalize(rows, columns, steps, eps, matrix, room):
    """Make the singular values of a packed matrix equal, in place; what it needs is `orthogonal_scratch` numbers."""
    tall = rows >= columns
    height, width = (rows, columns) if tall else (columns, rows)
    stride = wide(width)
    across, down = (1, stride) if tall else (stride, 1)
    scale = real(1.0 / (sqrt(squares(rows, columns, matrix, columns)) + eps))
    for i in range(rows):
        for j in range(columns):
            store(room, i * down + j * across, scale * load(matrix, i * columns + j))
    newton_schulz(height, width, steps, room, offset(room, height * stride))
    for i in range(rows):
        for j in range(columns):
            store(matrix, i * columns + j, load(room, i * down + j * across))


def orthogonal_scratch(rows: int, columns: int, kind: int) -> int:
    """Return the scratch of Muon: the packed update, then the room of Newton-Schulz, twice the tall matrix and more."""
    height, width = max(rows, columns), min(rows, columns)
    return rows * columns + 2 * (height + width) * wide(width) if kind == WEIGHT else 0


@layerwise(
    formula="m = b m + (1 - b) g; u = NS(b m + (1 - b) g), all singular values about 1; "
    "W -= eta sqrt(max(1, fan_out / fan_in)) u; Adam elsewhere",
    citation="Jordan et al. 2024, Muon: an optimizer for hidden " "layers in neural networks", state=("mu", "nu"),
    extra_scratch=orthogonal_scratch, momentum=0.95, nesterov=True, ns_steps=5, eps=1e-7, corrected=False, b1=0.9,
    b2=0.95, adam_eps=1e-10, adam_rate=0.015, limits={"eps": DIVISOR, "adam_eps": DIVISOR},
)  # fmt: skip
def muon(
    step, rows, columns, kind, params, grads, mu, nu, scratch, learning_rate: Float64, momentum: Float64, nesterov,
    ns_steps, eps: Float64, corrected, b1: Float64, b2: Float64, adam_eps: Float64, adam_rate: Float64,
):  # fmt: skip
    """Muon: orthogonalized momentum on every weight matrix, Adam at the rate adam_rate eta on all vectors.

    corrected: both averages are divided by 1 - b^t, b m by 1 - b^(t + 1), as in optax; the authors' code does not.
    The ratio of adam_rate is that of their defaults, 3e-4 and 0.02.
    """
    size = rows * columns
    if kind != WEIGHT:
        adam_step(step, size, b1, b2, adam_eps, learning_rate * adam_rate, params, grads, mu, nu)
        return
    pull, part = (momentum, 1.0 - momentum) if nesterov != 0.0 else (1.0, 0.0)
    if corrected != 0.0:
        pull /= one_minus_power(momentum, step + 1 if part != 0.0 else step)
        part /= one_minus_power(momentum, step)
    average_gradient(size, momentum, pull, part, grads, mu, scratch)
    orthogonalize(rows, columns, int(ns_steps), eps, scratch, offset(scratch, size))
    # Stored W is the transpose of the paper's: its rows are our columns.
    ratio = columns / rows if columns > rows else 1.0
    rate = real(-learning_rate * sqrt(ratio))
    for i in range(size):
        store(params, i, fma(rate, load(scratch, i), load(params, i)))
