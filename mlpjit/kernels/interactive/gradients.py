"""What steps outside a run go down: gradients as listed, quadratics, a user's function, a network's loss on its data.

Each is a function (data, problem, step, count, params, grads) -> loss, called through its address. Steps are counted
from 1. An array of `data` is an address, and how far apart in it problems and steps stand: 0 where all share them.
"""

from __future__ import annotations

from typing import NamedTuple

from mlpjit.kernels.language import (
    Float64,
    Int,
    Ints,
    Reals,
    dot,
    float64,
    float64s,
    ints,
    kernel,
    load,
    offset,
    pointer,
    real,
    reals,
    store,
)
from mlpjit.kernels.network.loss_rules import call_loss
from mlpjit.kernels.network.passes import backward, forward, output_delta, outputs_of, refresh_weights
from mlpjit.kernels.tables import LAYER, numbered


class ListedColumns(NamedTuple):
    """Gradients that do not look at the parameters."""

    gradients: int
    problem_apart: int
    step_apart: int
    unknown: int  # address of the loss that they are told with


class QuadraticColumns(NamedTuple):
    """H of each problem, a matrix or (dense 0) its diagonal; b of each problem and step."""

    dense: int
    matrix: int
    matrix_apart: int
    linear: int
    problem_apart: int
    step_apart: int


class NetworkColumns(NamedTuple):
    """A network and its data: what a forward and a backward pass are called with."""

    rows: int
    mode: int
    softmax: int
    layer_count: int
    layers: int
    moments: int
    workspace: int
    loss: int
    targets: int
    settings: int


LISTED, QUADRATIC, NETWORK = numbered(ListedColumns), numbered(QuadraticColumns), numbered(NetworkColumns)


@pointer
def call_gradient(data: Ints, problem: Int, step: Int, count: Int, params: Reals, grads: Reals) -> Float64:
    """Write the gradient at params and return the loss."""


@pointer
def call_curvature_of(
    data: Ints, problem: Int, step: Int, count: Int, params: Reals, vector: Reals, product: Reals
) -> None:
    """Write the product of the Hessian at params with a vector."""


@kernel
def listed_gradient(data: Ints, problem: Int, step: Int, count: Int, params: Reals, grads: Reals) -> Float64:
    """The gradient that is listed for this step."""
    at = problem * load(data, LISTED.problem_apart) + (step - 1) * load(data, LISTED.step_apart)
    given = offset(reals(data, LISTED.gradients), at)
    for i in range(count):
        store(grads, i, load(given, i))
    return load(float64s(data, LISTED.unknown), 0)


@kernel
def quadratic_product(
    data: Ints, problem: Int, step: Int, count: Int, params: Reals, vector: Reals, product: Reals
) -> None:
    """product = H vector, sums in float64."""
    h = offset(reals(data, QUADRATIC.matrix), problem * load(data, QUADRATIC.matrix_apart))
    for i in range(count):
        if load(data, QUADRATIC.dense) != 0:
            store(product, i, real(dot(offset(h, i * count), vector, count)))
        else:
            store(product, i, load(h, i) * load(vector, i))


@kernel
def quadratic_gradient(data: Ints, problem: Int, step: Int, count: Int, params: Reals, grads: Reals) -> Float64:
    """H theta - b of theta' H theta / 2 - b' theta."""
    at = problem * load(data, QUADRATIC.problem_apart) + (step - 1) * load(data, QUADRATIC.step_apart)
    b = offset(reals(data, QUADRATIC.linear), at)
    quadratic_product(data, problem, step, count, params, params, grads)
    value = 0.5 * dot(params, grads, count) - dot(params, b, count)
    for i in range(count):
        store(grads, i, load(grads, i) - load(b, i))
    return value


@kernel
def objective_loop(data: Ints, problem: Int, step: Int, count: Int, params: Reals, grads: Reals) -> Float64:
    """A user's function, linked in as `rule`."""
    return float64(rule(problem, step, count, params, grads))  # noqa: F821


@kernel
def network_gradient(data: Ints, problem: Int, step: Int, count: Int, params: Reals, grads: Reals) -> Float64:
    """The gradient of a network's mean loss over all its rows, as `Network.loss_and_grad` has it."""
    rows, layers, workspace = load(data, NETWORK.rows), ints(data, NETWORK.layers), reals(data, NETWORK.workspace)
    layer_count, softmax = load(data, NETWORK.layer_count), load(data, NETWORK.softmax)
    last, settings = offset(layers, (layer_count - 1) * len(LAYER)), float64s(data, NETWORK.settings)
    refresh_weights(rows, layer_count, layers, params, workspace)
    moments = reals(data, NETWORK.moments)
    forward(rows, load(data, NETWORK.mode), softmax, layer_count, layers, params, moments, workspace)
    total = call_loss(
        load(data, NETWORK.loss), rows, load(last, LAYER.fan_out), outputs_of(last, softmax, workspace),
        load(last, LAYER.stride), reals(data, NETWORK.targets), settings, real(1.0) / real(rows),
    )  # fmt: skip
    if load(last, LAYER.activation) != 0 or softmax != 0:
        output_delta(rows, softmax, last, workspace)
    backward(rows, layer_count, layers, params, grads, workspace)
    return total / rows
