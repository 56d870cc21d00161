"""What mlpjit computes for a golden case, kind by kind: (case, shared inputs) -> arrays named as the golden ones."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from goldens.records import Arrays, Golden

import mlpjit as mj
from mlpjit import compiled
from mlpjit.datasets import datasets, load
from mlpjit.datasets.scaling import column_sums
from mlpjit.kernels import jit, layout
from mlpjit.kernels.plateau import watch_plateau
from mlpjit.registries import schedules
from mlpjit.run import rates as step_rates
from mlpjit.specs import parse_activation

STEPS = (1, 2, 5, 50)


def rates(case: Golden) -> list[float]:
    """Return the learning rate of every step: constant, or falling as 1 / (1 + decay t) from step t = 0."""
    rate, decay = case.given["learning_rate"], case.given.get("decay", 0.0)
    return [rate / (1.0 + decay * t) for t in range(max(STEPS))]


def optimizer(case: Golden, shared: Arrays) -> Arrays:
    """Parameters after 1, 2, 5 and 50 steps; theta: (n,), gradients: (50, n), three tensors in one."""
    made = mj.optimizers[case.entry](**case.settings)
    theta = shared["theta"]
    # An elementwise rule takes the three tensors as one, whose decay touches all of it as other people's does.
    given = case.given.get("shapes") or ast.literal_eval(str(shared["shapes"]))
    shapes = None if made.record.kind == "elementwise" else given
    state, path = made.init(theta, shapes), []
    gradients = shared["gradients"] * case.given.get("scale", 1.0)
    for g, rate, loss in zip(gradients, rates(case), shared["losses"], strict=True):
        theta, state = made.update(theta, g, state, learning_rate=rate, loss=loss)
        path.append(theta)
    return {"path": np.stack([path[step - 1] for step in STEPS])}


def wrapper(case: Golden, shared: Arrays) -> Arrays:
    """Parameters after 1, 2, 5 and 50 steps of a wrapped optimizer on the gradients g_t + slopes theta."""
    base = mj.optimizers[case.given["base"]](**case.given["base_settings"])
    made = mj.wrappers[case.entry](base, **case.settings)
    theta = shared["theta"]
    state, path = made.init(theta, ast.literal_eval(str(shared["shapes"]))), []
    for g in shared["gradients"]:

        def slope(at: np.ndarray, g: np.ndarray = g) -> tuple[float, np.ndarray]:
            return 0.0, g + shared["slopes"] * at

        rate = case.given["learning_rate"]
        theta, state = made.update(theta, slope(theta)[1], state, learning_rate=rate, gradient=slope)
        path.append(theta)
    return {"path": np.stack([path[step - 1] for step in STEPS])}


def schedule(case: Golden, shared: Arrays) -> Arrays:
    """The rates of the first of given["steps"] steps at base rate 1, or what reduce_on_plateau makes of losses."""
    if schedules[case.entry].watches:
        return {"factors": plateau_factors(case, shared["losses"])}
    config = mj.RunConfig(schedule={"name": case.entry, **case.settings}, learning_rate=1.0)
    return {"rates": step_rates(config, case.given["steps"])}


# The rows of the stored standard numbers that a stream reads: times the number of layers, plus the layer.
STREAM_ROWS = {"init": 0, "bias": 1, "mask": 2}


def initializer(case: Golden, shared: Arrays) -> Arrays:
    """The tensors W0, b0, W1, ... that the golden case has, drawn from the stored standard numbers."""

    def stored(kind: str) -> Callable[..., np.ndarray]:
        layers = len(shared[kind]) // len(STREAM_ROWS)
        return lambda seed, stream, size, place: shared[kind][STREAM_ROWS[stream] * layers + place][:size]

    net = mj.Network(case.given["sizes"], case.given["activation"], dtype="float64")
    draws = {"normals": stored("normals"), "uniforms": stored("uniforms")}
    with patch.multiple("mlpjit.kernels.random", **draws):
        layers = net.layers(net.init({"name": case.entry, **case.settings}, x=shared["x"]))
    return {name: layers[int(name[1:])][name[0]] for name in case.arrays}


def activation(case: Golden, shared: Arrays) -> Arrays:
    """f, f' and f'' on shared["z"], f and f' at the kinks; those that the golden case has."""

    name = parse_activation({"name": case.entry, **case.settings})

    def at(points: np.ndarray) -> list[np.ndarray]:
        found = [np.empty_like(points) for _ in range(3)]
        call = compiled.activation(name, "float64", "evaluation").call
        call(points.size, points.ctypes.data, *(array.ctypes.data for array in found))
        return found

    made = dict(zip(("f", "df", "d2f"), at(shared["z"]), strict=True)) | {"kinks": np.stack(at(shared["kinks"])[:2])}
    return {name: made[name] for name in case.arrays}


def loss(case: Golden, shared: Arrays) -> Arrays:
    """The mean loss, its gradient by the outputs, and its second derivative times shared["direction"]."""
    rows, outputs = shared["outputs"].shape
    targets, scratch = np.ascontiguousarray(shared[case.given["targets"]]), np.empty(outputs)
    gradient, product = shared["outputs"].copy(), shared["direction"].copy()
    settings = np.array([*(mj.losses[case.entry].defaults | case.settings).values(), 0.0])
    places = [array.ctypes.data for array in (gradient, product, targets, settings, scratch)]
    z, moved, y, numbers, spare = places
    compiled.loss_tangent(case.entry, "float64").call(rows, outputs, z, moved, outputs, y, numbers, spare, 1 / rows)
    total = compiled.loss(case.entry, "float64").call(rows, outputs, z, outputs, y, numbers, 1 / rows)
    return {"value": np.array(total / rows), "gradient": gradient, "product": product}


def network(case: Golden, shared: Arrays, **options: Any) -> Arrays:
    """Outputs, loss, gradient and Hessian-vector product of a whole network of given["sizes"], tanh unless given."""
    sizes, dropped = case.given["sizes"], {name: case.given[name] for name in ("seed", "step") if name in case.given}
    net = mj.Network(sizes, **{"activation": "tanh", "loss": "mse", "dtype": "float64", **options})
    theta, direction = (shared[name][: net.parameter_count] for name in ("theta", "direction"))
    x, y = shared["x"][:, : sizes[0]], shared["y"][:, : sizes[-1]]
    value, gradient = net.loss_and_grad(theta, x, y, **dropped)
    product = net.hessian_vector_product(theta, direction, x, y, **dropped)
    made = {"outputs": net.predict(theta, x), "loss": np.array(value), "gradient": gradient, "product": product}
    return {name: made[name] for name in case.arrays}


def normalization(case: Golden, shared: Arrays) -> Arrays:
    """A whole network with normalized hidden layers."""
    return network(case, shared, normalization=case.entry)


def residual(case: Golden, shared: Arrays) -> Arrays:
    """A whole network with residual connections, dropout, and learned activations."""
    return network(case, shared, residual=case.entry, **case.given["options"])


def plateau_factors(case: Golden, values: np.ndarray) -> np.ndarray:
    """The factor after each validation loss."""
    numbers, carry, found = np.zeros(layout.NUMBERS_SIZE), np.zeros(layout.CARRY_SIZE), []
    given = {**schedules[case.entry].defaults, **case.settings}
    numbers[layout.PLATEAU_SETTINGS :] = [given[name] for name in schedules[case.entry].watches]
    carry[[layout.RATE_FACTOR, layout.PLATEAU_BEST]] = 1.0, np.inf
    for value in values:
        jit.load(watch_plateau, "float64").call(numbers.ctypes.data, carry.ctypes.data, value)
        found.append(carry[layout.RATE_FACTOR])
    return np.array(found)


def fingerprint(x: np.ndarray, y: np.ndarray) -> Arrays:
    """Sums of the columns, of their squares and of neighbours' products, and the targets' likewise: small arrays."""
    found: Arrays = {}
    for name, values in (("x", x), ("y", y.reshape(len(y), -1).astype(float))):
        # Summed in our fixed order, or the table of proofs would differ from machine to machine.
        found[name] = np.stack([column_sums(each) for each in (values, values**2, values[1:] * values[:-1])])
    return found


def dataset(case: Golden, shared: Arrays) -> Arrays:
    """The samples of a generated dataset, the fingerprint of an embedded one."""
    held = load({"name": case.entry, **case.settings})
    if datasets[case.entry].shape:
        return {"x": held.x, "y": held.y.astype(float)}
    return fingerprint(held.x, held.y)


OURS: dict[str, Callable[[Golden, Arrays], Arrays]] = {
    "optimizers": optimizer, "wrappers": wrapper, "activations": activation, "losses": loss, "schedules": schedule,
    "initializers": initializer, "normalizations": normalization, "residuals": residual,
    "datasets": dataset,
}  # fmt: skip
