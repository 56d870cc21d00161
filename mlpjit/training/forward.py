"""A forward pass over all rows of a batch at once, by the kernels that runs use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.dropout import draw_mask, threshold
from mlpjit.kernels.network.passes import affine_map, forward, refresh_weights
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
        return self.matrix(last, LAYER.slope_at if linear else LAYER.output_at)

    def matrix(self, row: np.ndarray, column: int) -> np.ndarray:
        """Return the view of a matrix of a layer, rows padded: what stands at this column of its row of the table."""
        return self._rows(int(row[column]), int(row[LAYER.stride]))

    def signals(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Go forward layer by layer; yield copies of z = W a + b and of what the layer hands on, (n, fan_out) each."""
        table, rows, last = self.space.layers, len(self.x), len(self.layers) - 1
        self.call(refresh_weights, rows, last + 1, table, self.params, self.workspace)
        for place, (layer, row) in enumerate(zip(self.layers, table, strict=True)):
            self.call(affine_map, rows, row, self.params, self.workspace)
            z = self.matrix(row, LAYER.slope_at)[:, : layer.fan_out].copy()
            softmax = int(self.softmax and place == last)
            self.call(forward, rows, self.training, softmax, 1, row, self.params, self.moments, self.workspace)
            made = self.outputs() if place == last else self.matrix(row, LAYER.output_at)
            yield z, made[:, : layer.fan_out].copy()


def drawn_masks(table: np.ndarray, dropout: float, rows: int, seed: int, step: int, dtype: str) -> list[np.ndarray]:
    """Draw the masks of a step for every hidden layer (rows, stride), and put their addresses into the table."""
    masks, call = masks_of(table, rows, dtype), jit.load(draw_mask, dtype).call
    for place, (row, mask) in enumerate(zip(table[:-1], masks, strict=True)):
        columns, stride = int(row[LAYER.fan_out]), int(row[LAYER.stride])
        call(seed, step, place, rows, columns, stride, threshold(dropout), mask.ctypes.data)
    return masks
