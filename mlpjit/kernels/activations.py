"""Activations: each rule returns (f, df, d2f) at a pre-activation z; the loops are made from it.

The forward loop writes f and leaves df where z was, so the backward pass multiplies and nothing more, and parts
that f and df share (an exponential, a distribution function) are computed once. NaN passes through every rule.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpjit.kernels import elementary
from mlpjit.kernels.rules import (
    Activation,
    Function,
    Int,
    Kernel,
    Reals,
    absolute,
    device,
    fma,
    kernel,
    load,
    pointer,
    real,
    select,
    store,
)
from mlpjit.registry import Registry

activations: Registry[Activation] = Registry("activation")
tanh_and_slope, sigmoid_and_slope = elementary.tanh_and_slope, elementary.sigmoid_and_slope
normal_distribution, exp_pair = elementary.normal_distribution, elementary.exp_pair


def activation(formula: str, citation: str, slope_limit: float = 1.0) -> Callable[[Function], Activation]:
    """Register a rule z -> (f, df, d2f) under its function's name."""

    def register(function: Function) -> Activation:
        name = function.__name__
        return activations.register(Activation(name, device(function), formula, citation, slope_limit=slope_limit))

    return register


@activation("f(z) = z", "-")
def identity(z):
    """The identity: no activation."""
    return z, real(1.0), real(0.0)


@activation("f(z) = 1 / (1 + exp(-z))", "source 7.1", slope_limit=0.25)
def sigmoid(z):
    """The logistic function; saturates on both sides."""
    value, slope = sigmoid_and_slope(z)
    return value, slope, slope * (1.0 - 2.0 * value)


@activation("f(z) = tanh z", "source 7.2")
def tanh(z):
    """The hyperbolic tangent: zero-centred, saturates on both sides."""
    value, slope = tanh_and_slope(z)
    # Near 0 the difference loses less than the quotient, which the tails need.
    return value, slope, -2.0 * value * select(absolute(value) < 0.7, fma(-value, value, real(1.0)), slope)


@activation("f(z) = max(0, z)", "source 7.3; Nair & Hinton 2010")
def relu(z):
    """The rectifier. df(0) = 0."""
    off = z <= 0.0
    return select(off, real(0.0), z), select(off, real(0.0), real(1.0)), real(0.0)


@activation("f(z) = max(z, 0.01 z)", "source 7.4; Maas, Hannun & Ng 2013")
def leaky_relu(z):
    """The rectifier with slope 0.01 below 0. df(0) = 0.01."""
    off = z <= 0.0
    return select(off, 0.01 * z, z), select(off, real(0.01), real(1.0)), real(0.0)


@activation("f(z) = z if z > 0 else exp(z) - 1", "source 7.4; Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289")
def elu(z):
    """The exponential linear unit, alpha = 1. df(0) = 1, d2f(0) = 1."""
    off = z <= 0.0
    slope, value = exp_pair(select(off, z, real(0.0)))
    return (
        select(off, value, z),
        select(off, slope, real(1.0)),
        select(off, slope, real(0.0)),
    )


@activation("f(z) = z Phi(z)", "source 7.4; Hendrycks & Gimpel 2016, arXiv:1606.08415", slope_limit=1.1289)
def gelu(z):
    """The Gaussian error linear unit with the exact normal distribution (erf)."""
    distribution, density = normal_distribution(z)
    # Far out density is 0 and z may be infinite: their product must be 0, not NaN.
    weighted = select(density == 0.0, real(0.0), z * density)
    value = select(distribution == 0.0, real(-0.0), z * distribution)
    bend = select(density == 0.0, real(0.0), density * 2.0 - z * weighted)
    return value, distribution + weighted, bend


@pointer
def call_activation(count: Int, a: Reals, z: Reals) -> None:
    """a[i] = f(z[i]) and z[i] = df(z[i]) for `count` numbers, padding included."""


@kernel
def activation_loop(count: Int, a: Reals, z: Reals) -> None:
    """The body of `call_activation` for one rule."""
    for i in range(count):
        value, slope, _ = rule(load(z, i))  # noqa: F821
        store(a, i, value)
        store(z, i, slope)


@kernel
def curvature_loop(count: Int, z: Reals, d2: Reals) -> None:
    """d2[i] = d2f(z[i])."""
    for i in range(count):
        _, _, bend = rule(load(z, i))  # noqa: F821
        store(d2, i, bend)


@kernel
def evaluation_loop(count: Int, z: Reals, f: Reals, df: Reals, d2f: Reals) -> None:
    """All three at once, for tests and for Python."""
    for i in range(count):
        value, slope, bend = rule(load(z, i))  # noqa: F821
        store(f, i, value)
        store(df, i, slope)
        store(d2f, i, bend)


@pointer
def call_derivatives(count: Int, z: Reals, f: Reals, df: Reals, d2f: Reals) -> None:
    """Call the `evaluation_loop` of a rule through its address."""


LOOPS: dict[str, Kernel] = {
    "forward": activation_loop, "curvature": curvature_loop, "evaluation": evaluation_loop
}  # fmt: skip
