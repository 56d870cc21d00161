"""The buffers of a network's passes over all rows of x at once, and what is read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlpjit.errors import ConfigError
from mlpjit.kernels.interactive.losses_at import losses_at
from mlpjit.kernels.network.curvature import forward_pairs, hessian_vector_product, refresh_moved
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.kernels.network.passes import backward, output_delta, refresh_weights
from mlpjit.kernels.tables import LAYER, MODE
from mlpjit.training import linking
from mlpjit.training.forward import Forward, drawn_masks
from mlpjit.training.shape import VECTOR
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.interactive.network import Network


class Passes(Forward):
    """The buffers of one forward and backward pass over all rows of x at once."""

    def __init__(self, net: Network, params: np.ndarray, x: np.ndarray) -> None:
        if np.ndim(x) != 2 or np.shape(x)[1] != net.sizes[0] or not len(x):
            raise ConfigError(f"x: got shape {np.shape(x)}, need (n, {net.sizes[0]}) with n at least 1")
        if np.shape(params) != (net.parameter_count,):
            raise ConfigError(f"params: got shape {np.shape(params)}, need ({net.parameter_count},)")
        super().__init__(net.layout, net.activations, params, x, net.dtype)
        self.net = net
        self.masks: list[np.ndarray] = []

    def drop(self, seed: int | None, step: int) -> None:
        """Have units dropped, where there is a seed to draw masks by."""
        if seed is not None and self.net.dropout:
            rows, dropout = len(self.x), self.net.dropout
            self.masks = drawn_masks(self.space.layers, dropout, rows, seed, step, self.dtype)
            self.training = MODE.training

    def use(self, statistics: np.ndarray | None) -> None:
        """Have batch normalization use running statistics, where they are given."""
        if statistics is None:
            return
        needed = self.space.running_size
        if np.shape(statistics) != (needed,):
            raise ConfigError(f"statistics: got shape {np.shape(statistics)}, need ({needed},)")
        self.moments[:needed] = statistics
        self.training = MODE.evaluation

    def loss(self, targets: np.ndarray) -> float:
        """Return the mean loss; leave delta at the last layer."""
        rows, outputs = targets.shape
        predicted, last = self.outputs(), self.space.layers[-1]
        call, settings = linking.loss(self.net.loss.name, self.net.dtype).call, self.net.loss_settings
        scale = float(np.dtype(self.net.dtype).type(1) / np.dtype(self.net.dtype).type(rows))
        total = call(
            rows, outputs, predicted.ctypes.data, predicted.shape[1], targets.ctypes.data, settings.ctypes.data, scale
        )
        if last[LAYER.activation] != 0 or self.net.softmax:
            self.call(output_delta, rows, int(self.net.softmax), last, self.workspace)
        return float(total) / rows

    def backward(self) -> np.ndarray:
        """Return the packed gradient."""
        grads = aligned(self.net.parameter_count, self.net.dtype)
        self.call(backward, len(self.x), len(self.net.layout), self.space.layers, self.params, grads, self.workspace)
        return grads

    def deltas(self) -> list[np.ndarray]:
        """Return delta of every layer, which the way back leaves where z was."""
        rows = zip(self.space.layers, self.net.layout, strict=True)
        return [self.matrix(row, LAYER.slope_at)[:, : layer.fan_out].copy() for row, layer in rows]

    def losses(self, many: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the mean loss at each of these packed parameters, (k, parameter_count)."""
        net, found = self.net, np.empty(len(many))
        self.call(
            losses_at, len(many), many, net.parameter_count, len(self.x), self.training, int(net.softmax),
            len(net.layout), self.space.layers, self.params, self.moments, self.workspace,
            linking.loss(net.loss.name, net.dtype).address, targets, net.loss_settings, found,
        )  # fmt: skip
        return found

    def jacobian_vector_product(self, vector: np.ndarray) -> np.ndarray:
        """Return the derivative of the outputs along a packed vector, (n, outputs)."""
        moved, table, workspace = self._moved(vector), *self._pairs()
        rows, count = len(self.x), len(self.net.layout)
        self.call(refresh_weights, 2 * rows, count, table, self.params, workspace)
        self.call(refresh_moved, count, table[0], table[1], self.params, moved, workspace)
        self.call(forward_pairs, rows, count, table, self.params, moved, self._inputs(), workspace)
        last, outputs = table[0, -1], self.net.sizes[-1]
        stride = int(last[LAYER.stride])
        at = int(last[LAYER.output_at]) + rows * stride
        return workspace[at : at + rows * stride].reshape(rows, stride)[:, :outputs].copy()

    def hessian_vector_product(self, vector: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the packed product of the Hessian with a packed vector; it has a workspace of its own."""
        net, moved, table, workspace = self.net, self._moved(vector), *self._pairs()
        loss, tangent = (made(net.loss.name, net.dtype) for made in (linking.loss, linking.loss_tangent))
        product = aligned(net.parameter_count, net.dtype)
        self.call(
            hessian_vector_product, len(self.x), len(net.layout), table, loss.address, tangent.address, self.params,
            moved, self._inputs(), targets, net.loss_settings, product, workspace,
        )  # fmt: skip
        return product

    def _moved(self, vector: np.ndarray) -> np.ndarray:
        """Return a vector over the parameters, aligned as they are."""
        if np.shape(vector) != (self.net.parameter_count,):
            raise ConfigError(f"vector: got shape {np.shape(vector)}, need ({self.net.parameter_count},)")
        moved = aligned(self.net.parameter_count, self.net.dtype)
        moved[:] = vector
        return moved

    def _inputs(self) -> np.ndarray:
        """Return x where it stands in the workspace of forward and backward, with its padding."""
        return self.workspace[int(self.space.layers[0][LAYER.input_at]) :]

    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the two tables of passes along a vector, and their workspace."""
        net = self.net
        derivatives = [linking.derivatives_address(name, net.dtype) for name in net.activations]
        pairs = [linking.normalization(layer.normalization, net.dtype, pairs=True) for layer in net.layout]
        table, size = plan_curvature(self.space.layers, derivatives, pairs, len(self.x), VECTOR[net.dtype])
        return table, aligned(size, net.dtype)
