"""Random numbers: Philox against its published answers, distributions, permutations, and independence of place."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from mlpjit.kernels.arithmetic import random
from mlpjit.kernels.arithmetic.random import STREAMS, normals, permutation, philox, uniforms
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Int, Ints, integer, kernel, store, uint64

MASK = 0xFFFFFFFF


@kernel
def philox_words(seed: Int, c0: Int, c1: Int, c2: Int, c3: Int, out: Ints) -> None:
    """Write the four words of one block."""
    x0, x1, x2, x3 = philox(seed, c0, c1, c2, c3)
    store(out, 0, integer(uint64(x0)))
    store(out, 1, integer(uint64(x1)))
    store(out, 2, integer(uint64(x2)))
    store(out, 3, integer(uint64(x3)))


def words(counter: list[int], key: list[int]) -> list[int]:
    call = jit.load(philox_words, "float64", key=function_hash(philox_words.function)).call
    out, seed = np.zeros(4, np.int64), key[0] | key[1] << 32
    call(seed - (1 << 64) if seed >> 63 else seed, *counter, out.ctypes.data)
    return out.tolist()


def philox_by_hand(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 as in Salmon et al. 2011, section 3.3, in whole numbers of Python."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = second >> 32 ^ c1 ^ k0, second & MASK, first >> 32 ^ c3 ^ k1, first & MASK
        k0, k1 = k0 + 0x9E3779B9 & MASK, k1 + 0xBB67AE85 & MASK
    return [c0, c1, c2, c3]


# kat_vectors of the Random123 distribution, "philox4x32 10".
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_published_answers(counter, key, answer):
    assert words(counter, key) == philox_by_hand(counter, key) == answer


def test_philox_against_whole_numbers():
    rng = np.random.default_rng(0)
    for drawn in rng.integers(0, 1 << 32, (200, 6)).tolist():
        assert words(drawn[:4], drawn[4:]) == philox_by_hand(drawn[:4], drawn[4:])


def test_uniforms_are_53_bits_of_the_documented_counter():
    """Block i // 2 of (seed; block low, block high, place, stream); u = (bits + 1) 2^-53."""
    found = uniforms(1 << 40 | 7, "noise", 9, place=5)
    for i, value in enumerate(found.tolist()):
        block = philox_by_hand([i // 2, 0, 5, STREAMS["noise"]], [7, 1 << 8])
        high, low = block[2 * (i % 2) : 2 * (i % 2) + 2]
        assert value == ((high << 32 | low) // 2048 + 1) * 2.0**-53


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_a_longer_draw_begins_with_the_shorter(draw):
    """Each number depends on its place alone; an odd length stops within a block."""
    whole = draw(3, "data", 1001)
    for size in (0, 1, 2, 17, 1000):
        np.testing.assert_array_equal(draw(3, "data", size), whole[:size])


def test_nothing_is_written_behind_the_end():
    out = np.full(8, -9.0)
    random._compiled(random.fill_normal)(1, 1, 0, 5, out.ctypes.data)
    assert (out[5:] == -9.0).all()
    assert (out[:5] != -9.0).all()


@pytest.mark.parametrize(("draw", "law"), [(uniforms, "uniform"), (normals, "norm")])
@pytest.mark.parametrize("stream", STREAMS)
def test_distributions(draw, law, stream):
    x = draw(12, stream, 100_000, place=2)
    assert scipy.stats.kstest(x, law).pvalue > 0.001
    pairs = np.corrcoef(x[::2], x[1::2])[0, 1], np.corrcoef(x[:-1], x[1:])[0, 1]
    assert np.abs(pairs).max() < 4 / np.sqrt(len(x) / 2)


def test_uniforms_are_above_0_and_at_most_1():
    x = uniforms(5, "data", 200_000)
    assert x.min() > 0.0
    assert x.max() <= 1.0


def test_normal_moments():
    x = normals(8, "init", 400_000)
    for power, moment, spread in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert np.mean(x**power) == pytest.approx(moment, abs=4 * np.sqrt(spread / len(x)))


def test_seeds_streams_and_places_differ():
    keys = itertools.product((0, 1, 1 << 32, -1), STREAMS, (0, 1, 2))
    draws = [normals(seed, stream, 64, place) for seed, stream, place in keys]
    assert len({a.tobytes() for a in draws}) == len(draws)
    correlation = np.corrcoef([normals(s, "init", 4000, p) for s in (0, 1) for p in (0, 1)]) - np.eye(4)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(4000)


def test_streams_keep_their_numbers():
    """Changing one would change every published result."""
    assert len(set(STREAMS.values())) == len(STREAMS)
    first = ["split", "init", "order", "dropout", "optimizer", "noise", "data", "labels"]
    assert [STREAMS[name] for name in first] == list(range(1, 9))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 17, 1000])
def test_a_permutation_holds_every_number_once(size):
    for place in range(5):
        np.testing.assert_array_equal(np.sort(permutation(4, "order", size, place)), np.arange(size))


def test_permutations_are_unbiased():
    """All 24 orders of four, by chi-square over 24,000 epochs."""
    found = np.array([permutation(2, "order", 4, place) for place in range(24_000)])
    counts = np.unique(found @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_every_place_of_a_permutation_is_equally_likely():
    found = np.array([permutation(1, "order", 10, place) for place in range(10_000)])
    for column in found.T:
        assert scipy.stats.chisquare(np.bincount(column, minlength=10)).pvalue > 1e-4
