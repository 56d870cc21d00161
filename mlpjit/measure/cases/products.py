"""The three matrix products of a layer with as many inputs as outputs, on a batch of 64."""

from __future__ import annotations

from mlpjit.kernels.arithmetic import matmul
from mlpjit.measure.cases.work import Work, filled, plain, size
from mlpjit.training.shape import VECTOR, padded
from mlpjit.training.workspace import DIRECT_WIDTH

ROWS = 64


def _whole(width: int, dtype: str) -> int:
    return -(-width // VECTOR[dtype]) * VECTOR[dtype]


def forward_product(width: int, dtype: str) -> Work:
    """z = a W + b, with W packed or in panels as the training step has it."""
    lanes, stride, wide = VECTOR[dtype], padded(width, dtype), _whole(width, dtype)
    direct = width <= DIRECT_WIDTH
    a, z = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride)
    w = filled(dtype, width, width if direct else wide)
    bias = filled(dtype, wide)
    run = plain(
        matmul.forward_product, dtype, rows=ROWS, inner=width, columns=width, a=a, a_stride=stride, w=w,
        panel_step=1 if direct else width, w_stride=width if direct else lanes, bias=bias, z=z, z_stride=stride,
    )  # fmt: skip
    return Work(run, 2.0 * ROWS * width * width, size(a, w, z, bias), size(a, w, z, bias))


def input_gradient(width: int, dtype: str) -> Work:
    """out = (delta W^T) * scale."""
    stride, wide = padded(width, dtype), _whole(width, dtype)
    delta, w = filled(dtype, ROWS, stride), filled(dtype, width, wide)
    scale, out = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride)
    run = plain(
        matmul.input_gradient, dtype, rows=ROWS, inner=width, columns=width, delta=delta, delta_stride=stride, w=w,
        scale=scale, scale_stride=stride, out=out, out_stride=stride,
    )  # fmt: skip
    arrays = size(delta, w, scale, out)
    return Work(run, 2.0 * ROWS * width * width, arrays, arrays)


def weight_gradient(width: int, dtype: str) -> Work:
    """out = a^T delta."""
    stride = padded(width, dtype)
    a, delta, out = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride), filled(dtype, width, width)
    run = plain(
        matmul.weight_gradient, dtype, rows=width, inner=ROWS, columns=width, a=a, a_stride=stride, delta=delta,
        delta_stride=stride, out=out,
    )  # fmt: skip
    return Work(run, 2.0 * ROWS * width * width, size(a, delta, out), size(a, delta, out))
