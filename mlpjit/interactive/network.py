"""A network for notebooks and tests: parameters, outputs, loss and gradient, by the kernels that runs use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import losses, normalizations, residuals
from mlpjit.catalogue.specs import parse_activation, parse_spec, plain
from mlpjit.config.memory import Dataset
from mlpjit.display import lines, pairs
from mlpjit.errors import ConfigError
from mlpjit.kernels.network.curvature import hessian_vector_product
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.kernels.network.passes import backward, output_delta
from mlpjit.kernels.tables import LAYER, MODE
from mlpjit.training import linking
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.forward import Forward, drawn_masks
from mlpjit.training.shape import VECTOR, Layer, layers_of, parameters_of, views
from mlpjit.training.workspace import aligned, plan_workspace

DTYPES = ("float32", "float64")


# An activation or loss: its name, or a table of its name and parameters.
Named = str | dict[str, Any]


def _names(activation: Named | Sequence[Named], output: Named, hidden: int) -> list[str]:
    names = [activation] * hidden if isinstance(activation, str | dict) else list(activation)
    if len(names) != hidden:
        raise ConfigError(f"activation: got {len(names)} names for {hidden} hidden layers")
    return [*map(parse_activation, names), "softmax" if output == "softmax" else parse_activation(output)]


class Network:
    """A multi-layer perceptron with parameters in one packed array.

    sizes: inputs, hidden widths, outputs. activation: one for all hidden layers, or one for each. Activations and loss
    are a name, or a table with a name and parameters; losses from logits own the output's function. normalization,
    residual and dropout (a share in [0, 1)) act on the hidden layers. dtype: "float32" or "float64". Raises ConfigError
    for unknown names and impossible combinations.
    """

    def __init__(
        self, sizes: Sequence[int], activation: Named | Sequence[Named] = "relu", *,
        output_activation: Named = "identity", loss: Named = "cross_entropy", normalization: str = "none",
        residual: str = "none", dropout: float = 0.0, dtype: str = "float32",
    ) -> None:  # fmt: skip
        given = plain(list(sizes))
        if len(given) < 2 or not all(type(size) is int and size >= 1 for size in given):
            raise ConfigError(f"sizes: got {given}, need inputs, hidden widths and outputs, whole numbers from 1 up")
        if dtype not in DTYPES:
            raise ConfigError(f"dtype: got {dtype!r}, need 'float32' or 'float64'")
        self.loss = parse_spec("losses", loss)
        if losses[self.loss.name].logits and output_activation != "identity":
            raise ConfigError(f"{self.loss.name} works on logits: output_activation must be 'identity'")
        if residuals[residual].name != "none" and not any(a == b for a, b in pairwise(given[1:-1])):
            raise ConfigError(f"residual {residual!r}: got sizes {given}, need two hidden layers of one width in a row")
        if not 0.0 <= dropout < 1.0:
            raise ConfigError(f"dropout: got {dropout!r}, need a number from 0 up and below 1")
        normalizations[normalization]
        self.sizes, self.dtype, self.dropout = given, dtype, float(dropout)
        self.activations = _names(activation, output_activation, len(given) - 2)
        self.layout: tuple[Layer, ...] = layers_of(given, normalization, self.activations, residual)

    @classmethod
    def of(cls, data: Dataset, hidden: Sequence[int] = (64,), **options: Any) -> Network:
        """Return a network for data in memory, with its inputs, its outputs, and the loss of its task.

        options: as above. `data.split(seed)` has the scaled parts that it can be trained on.
        """
        info = data.info
        loss = "cross_entropy" if info.task == "classification" else "mse"
        return cls([info.inputs, *hidden, info.outputs], **{"loss": loss, **options})

    def __repr__(self) -> str:
        return lines(f"Network {'-'.join(map(str, self.sizes))}, {self.dtype}", self._told())

    def _repr_html_(self) -> str:
        return pairs(f"Network {'-'.join(map(str, self.sizes))}, {self.dtype}", self._told())

    def _told(self) -> list[tuple[str, Any]]:
        """Return what there is to tell of it; nothing of what it has not."""
        hidden = list(dict.fromkeys(self.activations[:-1]))
        normalization, residual = self.layout[0].normalization, self.layout[-2:][0].residual
        acts = [("normalization", normalization), ("residual", residual), ("dropout", self.dropout)]
        told = [("activation", ", ".join(hidden) or "none"), ("output", self.activations[-1]), ("loss", self.loss.name)]
        return [*told, *(each for each in acts if each[1] not in ("none", 0.0)), ("parameters", self.parameter_count)]

    @property
    def parameter_count(self) -> int:
        """The length of the packed array."""
        return parameters_of(self.layout)

    @property
    def softmax(self) -> bool:
        """Whether the output layer is a softmax."""
        return self.activations[-1] == "softmax"

    @property
    def loss_settings(self) -> np.ndarray:
        """The parameters of the loss in their order, and a 0 behind them."""
        return np.array([*(float(self.loss[name]) for name in losses[self.loss.name].defaults), 0.0])

    def init(
        self, initializer: str | dict[str, Any] = "he_normal", seed: int = 0, x: np.ndarray | None = None
    ) -> np.ndarray:
        """Return packed parameters (parameter_count,): W (and b, else 0) from the initializer, beta 0, gamma 1.

        x: the samples (n, inputs) that a data-driven initializer looks at. Raises ConfigError where it lacks them.
        """
        spec = parse_spec("initializers", initializer)
        return initial_params(self.layout, spec, seed, self.dtype, self.activations, x)

    def layers(self, params: np.ndarray) -> list[dict[str, np.ndarray]]:
        """Return named views of a packed array, a dict for each layer: W (fan_in, fan_out), b, gamma, beta, alpha."""
        return views(self.layout, params)

    def predict(self, params: np.ndarray, x: np.ndarray, statistics: np.ndarray | None = None) -> np.ndarray:
        """Return the outputs (n, outputs): logits for cross_entropy.

        statistics: of batch normalization, the running ones of a run (`result.statistics`: for each hidden layer its
        means, then its variances); without them those of x. Raises ConfigError for another length.
        """
        work = _Passes(self, params, x)
        if statistics is not None:
            work.use(statistics)
        work.forward()
        return work.outputs()[:, : self.sizes[-1]].copy()

    def masks(self, rows: int, seed: int, step: int = 1) -> list[np.ndarray]:
        """Return what dropout multiplies each hidden layer's (rows, width) with: 0 or 1 / (1 - p).

        They are those of a run with this order_seed at a step, counted from 1.
        """
        table = plan_workspace(self.layout, [0] * len(self.layout), rows, self.dtype).layers
        drawn = drawn_masks(table, self.dropout, rows, seed, step, self.dtype)
        return [mask[:, :width].copy() for mask, width in zip(drawn, self.sizes[1:-1], strict=True)]

    def loss_and_grad(
        self, params: np.ndarray, x: np.ndarray, y: np.ndarray, *, seed: int | None = None, step: int = 1
    ) -> tuple[float, np.ndarray]:
        """Return the mean loss over the rows of x (n, inputs) and its gradient, packed like params.

        y: targets (n, outputs), one-hot for classes. Batch normalization uses the statistics of x. With a seed units
        are dropped, by `masks(n, seed, step)`.
        """
        work = _Passes(self, params, x)
        work.drop(seed, step)
        work.forward()
        value = work.loss(self._targets(y, len(work.x)))
        return value, work.backward()

    def hessian_vector_product(
        self, params: np.ndarray, vector: np.ndarray, x: np.ndarray, y: np.ndarray, *, seed: int | None = None,
        step: int = 1,
    ) -> np.ndarray:  # fmt: skip
        """Return H vector, exactly; H is the Hessian of the mean loss over the rows of x. Costs two to three gradients.

        vector and the result are packed like params; seed and step as of `loss_and_grad`. Source: Pearlmutter 1994,
        Neural Computation 6(1).
        """
        work = _Passes(self, params, x)
        work.drop(seed, step)
        return work.hessian_vector_product(vector, self._targets(y, len(work.x)))

    def _targets(self, y: np.ndarray, rows: int) -> np.ndarray:
        made = np.ascontiguousarray(y, self.dtype)
        if made.shape != (rows, self.sizes[-1]):
            raise ConfigError(f"targets: got shape {made.shape}, need ({rows}, {self.sizes[-1]})")
        return made


class _Passes(Forward):
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

    def use(self, statistics: np.ndarray) -> None:
        """Have batch normalization use running statistics."""
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

    def hessian_vector_product(self, vector: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the packed product of the Hessian with a packed vector; it has a workspace of its own."""
        net = self.net
        if np.shape(vector) != (net.parameter_count,):
            raise ConfigError(f"vector: got shape {np.shape(vector)}, need ({net.parameter_count},)")
        moved, product = aligned(net.parameter_count, net.dtype), aligned(net.parameter_count, net.dtype)
        moved[:] = vector
        derivatives = [linking.derivatives_address(name, net.dtype) for name in net.activations]
        pairs = [linking.normalization(layer.normalization, net.dtype, pairs=True) for layer in net.layout]
        table, size = plan_curvature(self.space.layers, derivatives, pairs, len(self.x), VECTOR[net.dtype])
        loss, tangent = (made(net.loss.name, net.dtype) for made in (linking.loss, linking.loss_tangent))
        x = self.workspace[int(self.space.layers[0][LAYER.input_at]) :]
        self.call(
            hessian_vector_product, len(self.x), len(net.layout), table, loss.address, tangent.address, self.params,
            moved, x, targets, net.loss_settings, product, aligned(size, net.dtype),
        )  # fmt: skip
        return product
