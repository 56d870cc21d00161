"""Errors in units in the last place, and arithmetic that is exact until it rounds once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np


def ulp_errors(measured: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return |measured - exact| in units of the spacing of float32 at `exact` (float64); 0 where both are NaN.

    An infinite result counts as 2^128, the first number that overflows, so overflow a little early or late is a
    small error and any other infinity a large one.
    """
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        errors = np.abs(measured - exact) / np.spacing(np.abs(rounded))
        odd = np.flatnonzero(~np.isfinite(errors))
        errors[odd] = _odd_errors(measured[odd].astype(np.float64), exact[odd], rounded[odd])
    return errors


def _odd_errors(measured: np.ndarray, exact: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Return the errors where a value is infinite or not a number."""
    seen = np.where(np.isinf(measured), np.copysign(2.0**128, measured), measured)
    errors = np.abs(seen - exact) / 2.0**104
    same = (measured == rounded) | (np.isnan(measured) & np.isnan(exact))
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def nearest(x: Fraction, dtype: str) -> float:
    """Return a fraction rounded to the nearest number of the dtype, ties to even. Underflow and overflow are out."""
    digits = np.finfo(dtype).nmant + 1
    if x == 0:
        return 0.0
    size = abs(x)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - digits + 1)
    whole = round(size / unit)  # round() of a fraction takes ties to even
    return float(whole * unit) * (1 if x > 0 else -1)


def fused(a: float, b: float, c: float, dtype: str) -> float:
    """Return a b + c, rounded once."""
    return nearest(Fraction(a) * Fraction(b) + Fraction(c), dtype)


def total(a: float, b: float, dtype: str) -> float:
    """Return a + b, rounded once."""
    return nearest(Fraction(a) + Fraction(b), dtype)


def product(a: float, b: float, dtype: str) -> float:
    """Return a b, rounded once."""
    return nearest(Fraction(a) * Fraction(b), dtype)
