"""Where arrays begin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mlpjit.training.workspace import LINE, PAGE, aligned


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 7, 16, 1000, 1024, 5578, 16384])
def test_arrays_are_zeros_at_the_beginning_of_a_line(count, dtype):
    for _ in range(70):
        made = aligned(count, dtype)
        assert made.ctypes.data % LINE == 0
        assert (made.shape, made.dtype) == ((count,), np.dtype(dtype))
        assert not made.any()


def test_any_five_large_arrays_in_a_row_begin_far_apart_in_the_page():
    places = [aligned(5578, "float32").ctypes.data % PAGE for _ in range(70)]
    for first in range(len(places) - 4):
        for one, other in itertools.combinations(places[first : first + 5], 2):
            assert min((one - other) % PAGE, (other - one) % PAGE) >= 8 * LINE
