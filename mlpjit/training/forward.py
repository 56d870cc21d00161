"""A forward pass over all rows of a batch at once, by the kernels that runs use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.dropout import draw_mask, threshold
from mlpjit.kernels.network.passes import forward, refresh_weights
from mlpjit.kernels.tables import LAYER, MODE
from mlpjit.training import linking
from mlpjit.training.shape import Layer, padded
from mlpjit.training.workspace import Workspace, aligned, masks_of, plan_workspace


class Forward:
    """The buffers of one pass. x: (n, inputs); names: the activation of each layer; params: packed."""

    def __init__(
        self, layers: Sequence[Layer], names: Sequence[str], params: np.ndarray, x: np.ndarray, dtype: str
    ) -> None:
        self.layers, self.dtype, self.softmax = layers, dtype, names[-1] == "softmax"
        self.training = MODE.statistics
        self.x, self.params = np.ascontiguousarray(x, dtype), aligned(len(params), dtype)
        self.params[:] = params
        last = len(names) - 1
        addresses = [linking.activation_address(name, dtype, i == last) for i, name in enumerate(names)]
        self.space: Workspace = plan_workspace(layers, addresses, len(self.x), dtype)
        self.workspace = aligned(self.space.size, dtype)
        self.moments = aligned(max(1, self.space.running_size), dtype)
        stride = padded(layers[0].fan_in, dtype)
        self._rows(int(self.space.layers[0][LAYER.input_at]), stride)[:, : layers[0].fan_in] = self.x

    def _rows(self, at: int, stride: int) -> np.ndarray:
        return self.workspace[at : at + len(self.x) * stride].reshape(len(self.x), stride)

    def call(self, kernel: Any, *arguments: Any) -> Any:
        """Call a kernel, arrays passed by address."""
        passed = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
        return jit.load(kernel, self.dtype).call(*passed)

    def forward(self) -> None:
        """Forward with the statistics of this batch, and with dropout where masks were drawn."""
        count, table = len(self.layers), self.space.layers
        self.call(refresh_weights, len(self.x), count, table, self.params, self.workspace)
        sizes = len(self.x), self.training, int(self.softmax), count
        self.call(forward, *sizes, table, self.params, self.moments, self.workspace)

    def outputs(self) -> np.ndarray:
        """Return the view of the outputs, rows padded."""
        last = self.space.layers[-1]
        linear = last[LAYER.activation] == 0 and not self.softmax
        return self._rows(int(last[LAYER.slope_at if linear else LAYER.output_at]), int(last[LAYER.stride]))


def preactivations(
    layers: Sequence[Layer], names: Sequence[str], params: np.ndarray, x: np.ndarray, dtype: str
) -> np.ndarray:
    """Return z = W a + b of the last of these layers (n, fan_out), before any normalization of it."""
    last = replace(
        layers[-1], gamma_at=None, beta_at=None, alpha_at=None, normalization="none", residual="none"
    )  # fmt: skip
    work = Forward([*layers[:-1], last], [*names[: len(layers) - 1], "identity"], params, x, dtype)
    work.forward()
    return work.outputs()[:, : last.fan_out].copy()


def drawn_masks(table: np.ndarray, dropout: float, rows: int, seed: int, step: int, dtype: str) -> list[np.ndarray]:
    """Draw the masks of a step for every hidden layer (rows, stride), and put their addresses into the table."""
    masks, call = masks_of(table, rows, dtype), jit.load(draw_mask, dtype).call
    for place, (row, mask) in enumerate(zip(table[:-1], masks, strict=True)):
        columns, stride = int(row[LAYER.fan_out]), int(row[LAYER.stride])
        call(seed, step, place, rows, columns, stride, threshold(dropout), mask.ctypes.data)
    return masks
