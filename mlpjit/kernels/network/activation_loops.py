"""The loops of a rule (z, *settings) -> (f, df, d2f), linked in as `rule`, with its parameters as SETTINGS.

The forward loop writes f and leaves df where z was, so the backward pass multiplies and nothing more, and parts
that f and df share (an exponential, a distribution function) are computed once.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Kernel, Reals, fma, kernel, load, offset, pointer, store


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


@pointer
def call_learned(rows: Int, columns: Int, stride: Int, a: Reals, z: Reals, alpha: Reals, learned: Reals) -> None:
    """a = f(z, alpha_j), z = df/dz, learned = df/d alpha_j; padding stays as it is."""


@kernel
def learned_loop(rows: Int, columns: Int, stride: Int, a: Reals, z: Reals, alpha: Reals, learned: Reals) -> None:
    """The body of `call_learned`; `by_parameter` gives df/d alpha and its derivatives by z and alpha."""
    for i in range(rows):
        row, out, kept = offset(z, i * stride), offset(a, i * stride), offset(learned, i * stride)
        for j in range(columns):
            given, setting = load(row, j), load(alpha, j)
            value, slope, _ = rule(given, setting)  # noqa: F821
            change, _, _ = by_parameter(given, setting)  # noqa: F821
            store(out, j, value)
            store(row, j, slope)
            store(kept, j, change)


@pointer
def call_learned_pair(
    rows: Int, columns: Int, stride: Int, z: Reals, z_moved: Reals, alpha: Reals, alpha_moved: Reals, a: Reals,
    a_moved: Reals, slope: Reals, learned: Reals, learned_moved: Reals,
) -> None:  # fmt: skip
    """a and Ra, df and R df (over Rz), df/d alpha and R of it: `call_learned` along a direction."""


@kernel
def learned_pair_loop(
    rows: Int, columns: Int, stride: Int, z: Reals, z_moved: Reals, alpha: Reals, alpha_moved: Reals, a: Reals,
    a_moved: Reals, slope: Reals, learned: Reals, learned_moved: Reals,
) -> None:  # fmt: skip
    """The body of `call_learned_pair`."""
    for i in range(rows):
        first = i * stride
        for j in range(columns):
            at, setting, turn = first + j, load(alpha, j), load(alpha_moved, j)
            given, moved = load(z, at), load(z_moved, at)
            value, df, bend = rule(given, setting)  # noqa: F821
            change, mixed, twice = by_parameter(given, setting)  # noqa: F821
            store(a, at, value)
            store(a_moved, at, fma(df, moved, change * turn))
            store(slope, at, df)
            store(z_moved, at, fma(bend, moved, mixed * turn))
            store(learned, at, change)
            store(learned_moved, at, fma(mixed, moved, twice * turn))


LEARNED_LOOPS: dict[str, Kernel] = {"learned": learned_loop, "learned_pair": learned_pair_loop}
