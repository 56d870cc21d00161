"""Muon: momentum whose singular values are made equal."""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrix_products import newton_schulz, squares, wide
from mlpjit.kernels.arithmetic.scalars import one_minus_power
from mlpjit.kernels.language import device, fma, load, offset, real, sqrt, store
from mlpjit.kernels.stages.declare import layerwise
from mlpjit.kernels.tables import WEIGHT


@device
def adam_step(step, size, count, b1, b2, eps, rate, params, grads, state):
    """Adam on a tensor; the second moment stands `count` behind the first."""
    second = offset(state, count)
    keep1, rest1, keep2, rest2 = real(b1), real(1.0 - b1), real(b2), real(1.0 - b2)
    below, floor = real(1.0 / one_minus_power(b2, step)), real(eps)
    stride = real(rate / one_minus_power(b1, step))
    for i in range(size):
        g = load(grads, i)
        mu, nu = fma(keep1, load(state, i), rest1 * g), fma(keep2, load(second, i), rest2 * g * g)
        store(state, i, mu)
        store(second, i, nu)
        store(params, i, fma(-stride, mu / (sqrt(nu * below) + floor), load(params, i)))


@device
def average_gradient(size, b, pull, part, grads, state, update):
    """m = b m + (1 - b) g; update = pull m + part g."""
    keep, rest, pulled, added = real(b), real(1.0 - b), real(pull), real(part)
    for i in range(size):
        g = load(grads, i)
        mu = fma(keep, load(state, i), rest * g)
        store(state, i, mu)
        store(update, i, fma(pulled, mu, added * g))


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
    "m = b m + (1 - b) g; u = NS(b m + (1 - b) g), all singular values about 1; "
    "W -= eta sqrt(max(1, fan_out / fan_in)) u; Adam elsewhere", "Jordan et al. 2024, Muon: an optimizer for hidden "
    "layers in neural networks", state=("mu", "nu"), parts=(adam_step, average_gradient, orthogonalize),
    extra_scratch=orthogonal_scratch, momentum=0.95, nesterov=True, ns_steps=5, eps=1e-7, corrected=False, b1=0.9,
    b2=0.95, adam_eps=1e-10, adam_rate=0.015,
)  # fmt: skip
def muon(step, rows, columns, kind, count, params, grads, state, extra, scratch, settings, learning_rate, loss):
    """Muon: orthogonalized momentum on every weight matrix, Adam at the rate adam_rate eta on all vectors.

    corrected: both averages are divided by 1 - b^t, b m by 1 - b^(t + 1), as in optax; the authors' code does not.
    The ratio of adam_rate is that of their defaults, 3e-4 and 0.02.
    """
    size, b, eps = rows * columns, load(settings, 0), load(settings, 3)
    if kind != WEIGHT:
        b1, b2, floor, rate = load(settings, 5), load(settings, 6), load(settings, 7), load(settings, 8)
        adam_step(step, size, count, b1, b2, floor, learning_rate * rate, params, grads, state)
        return
    pull, part = (b, 1.0 - b) if load(settings, 1) != 0.0 else (1.0, 0.0)
    if load(settings, 4) != 0.0:
        pull /= one_minus_power(b, step + 1 if part != 0.0 else step)
        part /= one_minus_power(b, step)
    average_gradient(size, b, pull, part, grads, state, scratch)
    orthogonalize(rows, columns, int(load(settings, 2)), eps, scratch, offset(scratch, size))
    # Stored W is the transpose of the paper's: its rows are our columns.
    ratio = columns / rows if columns > rows else 1.0
    rate = real(-learning_rate * sqrt(ratio))
    for i in range(size):
        store(params, i, fma(rate, load(scratch, i), load(params, i)))
