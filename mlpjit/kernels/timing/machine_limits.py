"""What a core can do at most: rates of arithmetic from registers, and of memory at any size.

`mlpjit bench` runs these beside the kernels, which it reports as shares of them. The streams are those of McCalpin
1995, "Memory bandwidth and machine balance in current high performance computers".
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Primitive, Real, Reals, kernel

fma_chains = Primitive("fma_chains")
root_chains = Primitive("root_chains")
quotient_chains = Primitive("quotient_chains")
chains = Primitive("chains")
stream_triad = Primitive("stream_triad")
stream_scale = Primitive("stream_scale")
stream_copy = Primitive("stream_copy")


@kernel
def chains_at_once(x: Reals) -> Int:
    """Return the number of chains, each a vector of the dtype's lanes, that the kernels below advance."""
    return chains(x)


@kernel
def fused_multiply_add(count: Int, a: Real, b: Real, x: Reals) -> None:
    """X = a x + b, `count` times, in every chain."""
    fma_chains(count, a, b, x)


@kernel
def square_root(count: Int, a: Real, b: Real, x: Reals) -> None:
    """X = sqrt(x) + b, `count` times, in every chain."""
    root_chains(count, a, b, x)


@kernel
def division(count: Int, a: Real, b: Real, x: Reals) -> None:
    """X = a / x + b, `count` times, in every chain."""
    quotient_chains(count, a, b, x)


@kernel
def triad(count: Int, scale: Real, a: Reals, b: Reals, c: Reals) -> None:
    """A = b + scale c; count is a multiple of four vectors."""
    stream_triad(count, scale, a, b, c)


@kernel
def copy(count: Int, scale: Real, a: Reals, b: Reals, c: Reals) -> None:
    """A = b; count is a multiple of four vectors."""
    stream_copy(count, scale, a, b, c)


@kernel
def scale(count: Int, scale: Real, a: Reals, b: Reals, c: Reals) -> None:
    """A = scale b, for b = a: in place, as an optimizer works; count is a multiple of four vectors."""
    stream_scale(count, scale, a, b, c)
