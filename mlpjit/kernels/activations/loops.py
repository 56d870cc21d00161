"""The loops of a rule (z, *settings) -> (f, df, d2f), linked in as `rule`, with its parameters as SETTINGS.

The forward loop writes f and leaves df where z was, so the backward pass multiplies and nothing more, and parts
that f and df share (an exponential, a distribution function) are computed once.
"""

from __future__ import annotations

from mlpjit.kernels.rules import Int, Kernel, Reals, kernel, load, pointer, store


@pointer
def call_activation(count: Int, a: Reals, z: Reals) -> None:
    """a[i] = f(z[i]) and z[i] = df(z[i]) for `count` numbers, padding included."""


@kernel
def activation_loop(count: Int, a: Reals, z: Reals) -> None:
    """The body of `call_activation` for one rule."""
    for i in range(count):
        value, slope, _ = rule(load(z, i), *SETTINGS)  # noqa: F821
        store(a, i, value)
        store(z, i, slope)


@kernel
def curvature_loop(count: Int, z: Reals, d2: Reals) -> None:
    """d2[i] = d2f(z[i])."""
    for i in range(count):
        _, _, bend = rule(load(z, i), *SETTINGS)  # noqa: F821
        store(d2, i, bend)


@kernel
def evaluation_loop(count: Int, z: Reals, f: Reals, df: Reals, d2f: Reals) -> None:
    """All three at once, for tests and for Python."""
    for i in range(count):
        value, slope, bend = rule(load(z, i), *SETTINGS)  # noqa: F821
        store(f, i, value)
        store(df, i, slope)
        store(d2f, i, bend)


@pointer
def call_derivatives(count: Int, z: Reals, f: Reals, df: Reals, d2f: Reals) -> None:
    """Call the `evaluation_loop` of a rule through its address."""


LOOPS: dict[str, Kernel] = {
    "forward": activation_loop, "curvature": curvature_loop, "evaluation": evaluation_loop
}  # fmt: skip
