"""A network for notebooks and tests: parameters, outputs, loss and gradient, by the kernels that runs use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from mlpjit.catalogue.registries import losses, normalizations, residuals
from mlpjit.catalogue.specs import parse_activation, parse_spec, plain
from mlpjit.config.memory import Dataset
from mlpjit.display import lines, pairs
from mlpjit.errors import ConfigError
from mlpjit.interactive.objectives import NetworkLoss
from mlpjit.interactive.passes import Passes
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.forward import drawn_masks
from mlpjit.training.shape import Layer, layers_of, parameters_of, views
from mlpjit.training.steering import checked_eps
from mlpjit.training.workspace import plan_workspace

DTYPES = ("float32", "float64")


# An activation or loss: its name, or a table of its name and parameters.
Named = str | dict[str, Any]


def _names(activation: Named | Sequence[Named], output: Named, hidden: int) -> list[str]:
    names = [activation] * hidden if isinstance(activation, str | dict) else list(activation)
    if len(names) != hidden:
        raise ConfigError(f"activation: got {len(names)} names for {hidden} hidden layers")
    return [*map(parse_activation, names), "softmax" if output == "softmax" else parse_activation(output)]


class LayerOutputs(NamedTuple):
    """What a layer makes of n samples, (n, width) each: z = W a + b of the layer below, and its own a."""

    z: np.ndarray
    a: np.ndarray


class Network:
    """A multi-layer perceptron with parameters in one packed array.

    sizes: inputs, hidden widths, outputs. activation: one for all hidden layers, or one for each. Activations and loss
    are a name, or a table with a name and parameters; losses from logits own the output's function. normalization,
    residual and dropout (a share in [0, 1)) act on the hidden layers; normalization_eps is added to variances. dtype:
    "float32" or "float64". Raises ConfigError for unknown names and impossible combinations.
    """

    def __init__(
        self, sizes: Sequence[int], activation: Named | Sequence[Named] = "relu", *,
        output_activation: Named = "identity", loss: Named = "cross_entropy", normalization: str = "none",
        residual: str = "none", dropout: float = 0.0, dtype: str = "float32", normalization_eps: float = 1e-5,
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
        self.eps = checked_eps(normalization_eps)
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
        work = Passes(self, params, x)
        work.use(statistics)
        work.forward()
        return work.outputs()[:, : self.sizes[-1]].copy()

    def outputs(self, params: np.ndarray, x: np.ndarray, statistics: np.ndarray | None = None) -> list[LayerOutputs]:
        """Return what every layer makes of the rows of x (n, inputs): z and a, each (n, width), the last layer's last.

        z = W a + b, before any normalization of it; a is what the layer hands on: behind normalization, activation
        and residual. The a of the last layer is `predict`. statistics: as there. An infinity or NaN in x goes through.
        Source: the document's section 2.
        """
        work = Passes(self, params, x)
        work.use(statistics)
        return [LayerOutputs(*made) for made in work.signals()]

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
        work = Passes(self, params, x)
        work.drop(seed, step)
        work.forward()
        value = work.loss(self._targets(y, len(work.x)))
        return value, work.backward()

    def deltas(self, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        """Return delta = dL/dz of every layer and row of x, (n, width) each; L is the mean loss over the rows.

        z is that of `outputs`, so that the gradient of W is a^T delta and that of b the sum of delta over the rows,
        and delta of one row is its own loss's over n. y: targets (n, outputs). Source: Rumelhart, Hinton & Williams
        1986, Nature 323; the document's section 4.
        """
        work = Passes(self, params, x)
        work.forward()
        work.loss(self._targets(y, len(work.x)))
        work.backward()
        return work.deltas()

    def losses(
        self, many_params: np.ndarray, x: np.ndarray, y: np.ndarray, statistics: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the mean loss over the rows of x at each of many packed parameters (k, parameter_count): (k,) float64.

        One call, without Python between them: for the surface of a loss, or along a path. Each has the bits of
        `loss_and_grad`. A loss that is not finite is told as it is. statistics: as of `predict`. Source of such
        surfaces: Li et al. 2018, arXiv:1712.09913.
        """
        many = np.ascontiguousarray(many_params, self.dtype)
        if many.ndim != 2 or many.shape[1] != self.parameter_count:
            raise ConfigError(f"many_params: got shape {many.shape}, need (k, {self.parameter_count})")
        work = Passes(self, np.zeros(self.parameter_count), x)
        work.use(statistics)
        return work.losses(many, self._targets(y, len(work.x)))

    def objective(self, x: np.ndarray, y: np.ndarray) -> NetworkLoss:
        """Return the mean loss over the rows of x and its gradient as something that `mj.steps` can go down.

        x (n, inputs), y (n, outputs): all of them are one batch. Batch normalization uses the statistics of x.
        """
        work = Passes(self, np.zeros(self.parameter_count), x)
        return NetworkLoss(self, work.x, self._targets(y, len(work.x)))

    def jvp(
        self, params: np.ndarray, vector: np.ndarray, x: np.ndarray, *, seed: int | None = None, step: int = 1
    ) -> np.ndarray:
        """Return J vector (n, outputs), exactly; J is the Jacobian of the outputs at the rows of x by the parameters.

        The derivative of `predict` along a direction, packed like params: d/dr of it at params + r vector, r = 0. Batch
        normalization uses the statistics of x; seed and step as of `loss_and_grad`. Costs about two forward passes.
        Source: Pearlmutter 1994, Neural Computation 6(1), the forward half of his R operator.
        """
        work = Passes(self, params, x)
        work.drop(seed, step)
        return work.jacobian_vector_product(vector)

    def hessian_vector_product(
        self, params: np.ndarray, vector: np.ndarray, x: np.ndarray, y: np.ndarray, *, seed: int | None = None,
        step: int = 1,
    ) -> np.ndarray:  # fmt: skip
        """Return H vector, exactly; H is the Hessian of the mean loss over the rows of x. Costs two to three gradients.

        vector and the result are packed like params; seed and step as of `loss_and_grad`. Source: Pearlmutter 1994,
        Neural Computation 6(1).
        """
        work = Passes(self, params, x)
        work.drop(seed, step)
        return work.hessian_vector_product(vector, self._targets(y, len(work.x)))

    def _targets(self, y: np.ndarray, rows: int) -> np.ndarray:
        made = np.ascontiguousarray(y, self.dtype)
        if made.shape != (rows, self.sizes[-1]):
            raise ConfigError(f"targets: got shape {made.shape}, need ({rows}, {self.sizes[-1]})")
        return made
