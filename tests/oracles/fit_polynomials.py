"""Print the polynomial coefficients of `mlpjit/kernels/polynomials.py`, highest power first.

Chebyshev fits in 40 digits with mpmath (`pip install mpmath`); the printed error is the largest on the interval.
Run: python tests/oracles/fit_polynomials.py
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 40
Real = mp.mpf


def exp_tail(r: Real) -> Real:
    """(e^r - 1 - r) / r^2."""
    return Real(1) / 2 + r / 6 + r * r / 24 if abs(r) < 1e-6 else (mp.exp(r) - 1 - r) / r**2


def log_tail(f: Real) -> Real:
    """(log(1 + f) - f + f^2 / 2) / f^3."""
    return Real(1) / 3 - f / 4 + f * f / 5 if abs(f) < 1e-6 else (mp.log(1 + f) - f + f * f / 2) / f**3


def log_ratio_tail(z: Real) -> Real:
    """(log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2."""
    s = mp.sqrt(z)
    return Real(2) / 3 + z * 2 / 5 if z < 1e-20 else (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3


def erf_ratio(z: Real) -> Real:
    """erf(x) / x - 1 in z = x^2."""
    x = mp.sqrt(z)
    return 2 / mp.sqrt(mp.pi) * (1 - z / 3) - 1 if z < 1e-25 else mp.erf(x) / x - 1


def sin_tail(z: Real) -> Real:
    """(sin(r) - r) / r^3 in z = r^2."""
    r = mp.sqrt(z)
    return -Real(1) / 6 + z / 120 if z < 1e-12 else (mp.sin(r) - r) / r**3


def cos_tail(z: Real) -> Real:
    """(cos(r) - 1 + r^2 / 2) / r^4 in z = r^2."""
    r = mp.sqrt(z)
    return Real(1) / 24 - z / 720 if z < 1e-10 else (mp.cos(r) - 1 + z / 2) / z**2


def mills(c: Real) -> Callable[[Real], Real]:
    """Q(t) e^(t^2/2) / u in u = c / (t + c), Q the upper tail of the standard normal distribution."""

    def ratio(u: Real) -> Real:
        x = (c / u - c) / mp.sqrt(2)
        return mp.exp(x * x) * mp.erfc(x) / 2 / u

    return ratio


def normal_ratio(z: Real) -> Real:
    """(Phi(x) - 1/2) / x in z = x^2."""
    x = mp.sqrt(z)
    return (1 - z / 6) / mp.sqrt(2 * mp.pi) if z < 1e-25 else mp.erf(x / mp.sqrt(2)) / 2 / x


HALF_LOG2 = mp.log(2) / 2 * Real("1.001")
QUARTER_PI = (mp.pi / 4 * Real("1.001")) ** 2
FITS = [
    ("EXP32", exp_tail, -HALF_LOG2, HALF_LOG2, 5),
    ("EXP64", exp_tail, -HALF_LOG2, HALF_LOG2, 11),
    ("LOG32", log_tail, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, 9),
    ("LOG64", log_ratio_tail, 0, Real("0.0295"), 8),
    ("ERF32", erf_ratio, 0, 1, 7),
    ("ERF64", erf_ratio, 0, 1, 14),
    ("SIN32", sin_tail, 0, QUARTER_PI, 4),
    ("SIN64", sin_tail, 0, QUARTER_PI, 7),
    ("COS32", cos_tail, 0, QUARTER_PI, 4),
    ("COS64", cos_tail, 0, QUARTER_PI, 7),
    ("NORMAL32", normal_ratio, 0, 1, 6),
    ("MILLS32", mills(Real(4)), 4 / Real("18.5"), 1, 10),
    ("MILLS64", mills(Real(5)), 5 / Real(45), 1, 22),
]


def main() -> None:
    """Print every fit as `p = fma(p, z, coefficient)` lines and its largest error."""
    for name, function, low, high, terms in FITS:
        coefficients, error = mp.chebyfit(function, [low, high], terms, error=True)
        print(f"{name}  largest error {mp.nstr(error, 3)}")
        for c in coefficients:
            print(f"    p = fma(p, z, {float(c)!r})")


if __name__ == "__main__":
    main()
