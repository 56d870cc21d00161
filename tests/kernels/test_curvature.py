"""Hessian-vector products against differences of gradients, closed forms and the dense Hessian."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import pytest

from mlpjit.model import Network
from mlpjit.registries import activations, losses, normalizations

INPUTS, OUTPUTS, ROWS = 6, 5, 11
HIDDEN = {"none": (), "one": (7,), "several": (5, 19, 3)}
OUTPUT_ACTIVATIONS = {"mse": (*activations, "softmax"), "cross_entropy": ("identity",)}


@dataclass(frozen=True)
class Case:
    """A network, a point, two directions and data, drawn from a seed that the case's own name gives."""

    activation: str = "tanh"
    loss: str = "mse"
    normalization: str = "none"
    hidden: tuple[int, ...] = (7,)
    output: str = "identity"
    dtype: str = "float64"

    @cached_property
    def net(self) -> Network:
        return Network(
            [INPUTS, *self.hidden, OUTPUTS], self.activation, loss=self.loss, output_activation=self.output,
            normalization=self.normalization, dtype=self.dtype,
        )  # fmt: skip

    @cached_property
    def draws(self) -> tuple[np.ndarray, ...]:
        """Parameters, two directions, inputs, soft targets whose rows do not sum to 1."""
        name = repr(replace(self, dtype="float64"))
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        count = self.net.parameter_count
        point, v, w = generator.normal(size=(3, count))
        inputs, targets = generator.normal(size=(ROWS, INPUTS)), generator.uniform(size=(ROWS, OUTPUTS))
        return 0.5 * point, v, w, inputs, targets

    def gradient(self, params: np.ndarray) -> np.ndarray:
        return self.net.loss_and_grad(params, *self.draws[3:])[1]

    def hessian_times(self, vector: np.ndarray) -> np.ndarray:
        return self.net.hessian_vector_product(self.draws[0], vector, *self.draws[3:])


def grid(**fixed: str) -> list[Case]:
    """Every activation, loss, output activation, normalization and depth there is."""
    return [
        Case(activation, loss, normalization, hidden, output, **fixed)
        for loss in losses
        for activation, output, normalization, hidden in product(
            activations, OUTPUT_ACTIVATIONS[loss], normalizations, HIDDEN.values()
        )
    ]


def named(case: Case) -> str:
    sizes = "-".join(map(str, case.hidden)) or "linear"
    return f"{case.activation}-{case.loss}-{case.output}-{case.normalization}-{sizes}"


every_case = pytest.mark.parametrize("case", grid(), ids=named)


def central_difference(case: Case, vector: np.ndarray, h: float) -> np.ndarray:
    """(g(theta + h v) - g(theta - h v)) / 2h, with the h^2 term removed by a second step (Richardson)."""
    params = case.draws[0]

    def at(step: float) -> np.ndarray:
        return (case.gradient(params + step * vector) - case.gradient(params - step * vector)) / (2 * step)

    return (4 * at(h) - at(2 * h)) / 3


def relative(got: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


@every_case
def test_equals_the_difference_of_gradients(case: Case) -> None:
    vector = case.draws[1]
    # |v| is about sqrt(parameters): h v stays short enough that no pre-activation passes a kink.
    assert relative(case.hessian_times(vector), central_difference(case, vector, 1e-5)) < 1e-6
