"""Column sums and copied rows at every remainder of a vector: their bits, and nothing behind the last number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpjit.kernels.arithmetic import matrices
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run import evaluation

DTYPES = ("float32", "float64")
# All remainders of 16 and 8 lanes; one, four and five vectors of either dtype.
COLUMNS = [*range(1, 18), 31, 32, 33, 47, 63, 64, 65, 80, 130]
POISON = 1e30


def call(kernel: Any, dtype: str, *arguments: int | np.ndarray) -> None:
    """Call a kernel, arrays passed by address."""
    jit.load(kernel, dtype).call(*(a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 64])
def test_columns_are_summed_in_the_order_of_the_rows(rows, dtype):
    for columns in COLUMNS:
        stride = -(-columns // 16) * 16
        delta = np.random.default_rng(columns).standard_normal((rows, stride)).astype(dtype)
        delta[:1, :1] = -0.0  # 0 + -0 is 0
        wanted, found = np.zeros(columns, dtype), np.full(columns + 64, POISON, dtype)
        for row in delta[:, :columns]:
            wanted += row
        call(matrices.column_sums, dtype, rows, columns, delta, stride, found)
        assert found[:columns].tobytes() == wanted.tobytes(), columns
        assert (found[columns:] == np.array(POISON, dtype)).all(), columns


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_copied_and_nothing_between_them_is_written(dtype):
    for columns in COLUMNS:
        source = np.random.default_rng(columns).standard_normal((3, columns)).astype(dtype)
        found = np.full((3, columns + 20), POISON, dtype)
        call(evaluation.copy_rows, dtype, 3, columns, source, found, columns + 20)
        assert (found[:, :columns] == source).all(), columns
        assert (found[:, columns:] == np.array(POISON, dtype)).all(), columns
