"""Products of matrices in scratch memory, and the Newton-Schulz iteration, which is made of them.

Rows are `wide(columns)` numbers apart, whole vectors of either dtype. What pads them is written, and read by nobody.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matmul import LANES, panel_plain
from mlpjit.kernels.language import Float64, Int, Reals, device, dot, fma, kernel, load, offset, real, store

# Newton-Schulz, x -> a x + b x^3 + c x^5 on every singular value (Jordan et al. 2024).
FIRST, THIRD, FIFTH = 3.4445, -4.7750, 2.0315


@device
def wide(columns: int) -> int:
    """Return how far the rows of a matrix of so many columns are apart."""
    return (columns + 15) // 16 * 16


@kernel
def product(
    rows: Int, inner: Int, columns: Int, a: Reals, i_stride: Int, k_stride: Int, b: Reals, b_stride: Int, c: Reals,
    c_stride: Int,
) -> None:  # fmt: skip
    """c[i, j] = sum over k of a(i, k) b[k, j], in order of k; a is read through two strides, so transposed as well.

    Reads whole vectors of b's rows and writes whole ones of c's.
    """
    for j in range(0, columns, LANES):
        panel_plain(
            rows, inner, a, i_stride, k_stride, offset(b, j), b_stride, offset(c, j), c_stride, c, 0, LANES
        )  # fmt: skip


@kernel
def squares(rows: Int, columns: Int, x: Reals, stride: Int) -> Float64:
    """Return the sum of the squares of a matrix's entries."""
    total = 0.0 * dot(x, x, 0)
    for i in range(rows):
        row = offset(x, i * stride)
        total += dot(row, row, columns)
    return total


@kernel
def newton_schulz(rows: Int, columns: Int, steps: Int, x: Reals, room: Reals) -> None:
    """Move the singular values of x (rows >= columns, of norm at most 1) towards 1, in place: X = U S V^T to U V^T.

    X <- X (a + b X^T X + c (X^T X)^2), so many times. room: wide(columns) (rows + 2 columns) numbers.
    """
    stride = wide(columns)
    gram, square = offset(room, rows * stride), offset(room, (rows + columns) * stride)
    for _ in range(steps):
        product(columns, rows, columns, x, 1, stride, x, stride, gram, stride)
        product(columns, columns, columns, gram, stride, 1, gram, stride, square, stride)
        for i in range(columns * stride):
            store(square, i, fma(real(FIFTH), load(square, i), real(THIRD) * load(gram, i)))
        for i in range(columns):
            at = i * stride + i
            store(square, at, load(square, at) + real(FIRST))
        product(rows, columns, columns, x, stride, 1, square, stride, room, stride)
        for i in range(rows * stride):
            store(x, i, load(room, i))
