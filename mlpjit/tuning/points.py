"""Quasi-random points: Halton's sequence with randomly permuted digits, the same on any machine.

Owen 2017, "A randomized Halton algorithm in R", arXiv:1706.02808: dimension j counts in the j-th prime, its digits are
mirrored at the point, and the digits of each place go through a permutation of their own, drawn by our Philox. Each
point is uniform on the unit cube, all together lie more evenly than independent ones would, and more draws keep the
earlier ones. Whole numbers until one division at the end: no rounding depends on a machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
BITS = 53  # as many as a float64 holds
WORD = 0xFFFFFFFF


def points(count: int, dimensions: int, repetition: int = 0) -> list[tuple[float, ...]]:
    """Return `count` points of the unit cube, 0 <= x < 1; each repetition has permutations of its own.

    A coordinate depends on its place alone: with more dimensions the first ones stay as they are. Raises ValueError for
    more dimensions than there are primes here.
    """
    if dimensions > len(PRIMES):
        raise ValueError(f"{dimensions} dimensions, need at most {len(PRIMES)}")
    return [tuple(_coordinate(index, d, repetition) for d in range(dimensions)) for index in range(count)]


def _coordinate(index: int, dimension: int, repetition: int) -> float:
    """Return the digits of the index, permuted and mirrored, as a fraction."""
    base = PRIMES[dimension]
    mirrored, whole, place = 0, 1, 0
    while whole < 2**BITS:  # the zeros in front of a number are digits too
        index, digit = divmod(index, base)
        mirrored = mirrored * base + _permutation(base, repetition, dimension, place)[digit]
        whole, place = whole * base, place + 1
    return min(mirrored / whole, 1.0 - 2.0**-BITS)


@cache
def _permutation(base: int, repetition: int, dimension: int, place: int) -> tuple[int, ...]:
    """Return 0 .. base - 1 in random order (Fisher & Yates)."""
    words = _words(repetition, dimension, place)
    order = list(range(base))
    for last in range(base - 1, 0, -1):
        other = _below(last + 1, words)
        order[last], order[other] = order[other], order[last]
    return tuple(order)


def _below(bound: int, words: Iterator[int]) -> int:
    """Return a whole number below `bound`, each as likely: words from the incomplete last round are passed over."""
    even = (WORD + 1) // bound * bound
    return next(word for word in words if word < even) % bound


def _words(repetition: int, dimension: int, place: int) -> Iterator[int]:
    block = 0
    while True:
        yield from philox(repetition, (block, 0, place, dimension))
        block += 1


def philox(seed: int, counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return four random words of 32 bits: `kernels.arithmetic.random` without Numba, which planning does not load."""
    key0, key1 = seed & WORD, seed >> 32 & WORD
    x0, x1, x2, x3 = counter
    for _ in range(10):
        first, second = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = second >> 32 ^ x1 ^ key0, second & WORD, first >> 32 ^ x3 ^ key1, first & WORD
        key0, key1 = key0 + 0x9E3779B9 & WORD, key1 + 0xBB67AE85 & WORD
    return x0, x1, x2, x3
