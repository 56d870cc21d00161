"""Small functions that optimizers are written with."""

from __future__ import annotations

from mlpjit.kernels.language import device, device_float64, select


@device_float64
def one_minus_power(base, exponent):
    """1 - base^exponent for a whole exponent of at least 1, by repeated squaring: same bits everywhere."""
    result, square, rest = 1.0, base, exponent
    while rest > 0:
        if rest & 1:
            result *= square
        square *= square
        rest >>= 1
    return 1.0 - result


@device
def sign(x):
    """1, -1, or x itself where it is 0 or NaN."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


@device
def larger(x, y):
    """The larger of two numbers; a NaN in x or y is returned."""
    return select((x >= y) | (x != x), x, y)
