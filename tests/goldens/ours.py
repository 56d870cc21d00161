"""What mlpjit computes for a golden case, kind by kind: (case, shared inputs) -> arrays named as the golden ones."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from goldens.problems import walk
from goldens.records import Arrays, Golden

import mlpjit as mj
from mlpjit.catalogue.datasets import datasets, load
from mlpjit.catalogue.datasets.scaling import column_sums
from mlpjit.catalogue.registries import clippings, schedules
from mlpjit.catalogue.specs import parse_activation
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.plateau import watch_plateau
from mlpjit.kernels.run.steps import batch_gradient, gather_batch
from mlpjit.kernels.stages.stage import SKIP
from mlpjit.kernels.tables import CARRY, NUMBER, filled
from mlpjit.training import linking
from mlpjit.training.run import Run
from mlpjit.training.schedule_values import rates as step_rates
from mlpjit.training.stage_memory import scratch_size, settings_of, state_size, tensor_table, tensors_of
from mlpjit.training.tables import plateau_numbers

STEPS = (1, 2, 5, 50)


def rates(case: Golden) -> list[float]:
    """Return the learning rate of every step: constant, or falling as 1 / (1 + decay t) from step t = 0."""
    rate, decay = case.given["learning_rate"], case.given.get("decay", 0.0)
    return [rate / (1.0 + decay * t) for t in range(max(STEPS))]


def gradients(case: Golden, shared: Arrays) -> np.ndarray:
    """Return the gradients of every step: scaled, or of less varied size where `power` is below 1."""
    drawn = shared["gradients"] * case.given.get("scale", 1.0)
    return np.sign(drawn) * np.abs(drawn) ** case.given["power"] if "power" in case.given else drawn


def optimizer(case: Golden, shared: Arrays) -> Arrays:
    """Parameters after 1, 2, 5 and 50 steps; theta: (n,), gradients: (50, n), three tensors in one."""
    if "problem" in case.given:
        path = walk(case, shared, rates(case))
        return {"path": np.stack([path[step - 1] for step in STEPS])}
    made = mj.optimizers[case.entry](**case.settings)
    theta = shared["theta"]
    # An elementwise rule takes the three tensors as one, whose decay touches all of it as other people's does.
    given = case.given.get("shapes") or ast.literal_eval(str(shared["shapes"]))
    shapes = None if made.record.kind == "elementwise" else given
    state, path = made.init(theta, shapes, case.given.get("seed", 0)), []
    for g, rate, loss in zip(gradients(case, shared), rates(case), shared["losses"], strict=True):
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


def with_errors(gradients: np.ndarray) -> np.ndarray:
    """Return gradients (50, n) of which some are infinite or NaN: steps 2, 4, 10 to 12 and 31."""
    made = gradients.copy()
    made[1, 3], made[3, 0], made[9:12, 5], made[30, -1] = np.nan, np.inf, -np.inf, np.nan
    return made


class Clip:
    """A clipping rule on its own: call(theta, g) -> the clipped gradient, None where the step is to be skipped."""

    def __init__(self, name: str, settings: dict[str, Any], shapes: Any) -> None:
        record = clippings[name]
        tensors = tensors_of(shapes)
        self.settings = np.array([*settings_of(record, settings), 0.0])
        self.state, self.scratch = np.zeros(state_size(record, tensors) + 1), np.zeros(scratch_size(record, tensors))
        self.table, self.step = tensor_table(record, tensors), 0
        self.kernel = linking.clipping(name, "float64").call

    def call(self, theta: np.ndarray, g: np.ndarray, loss: float) -> np.ndarray | None:
        clipped, self.step = g.copy(), self.step + 1
        where = [a.ctypes.data for a in (theta, clipped, self.state, self.scratch, self.settings)]
        table = self.table.ctypes.data
        found = self.kernel(0, self.step, 64, len(g), *where, 0.0, loss, table, len(self.table))
        return None if found == SKIP else clipped


def clipping(case: Golden, shared: Arrays) -> Arrays:
    """Parameters after 1, 2, 5 and 50 steps of an optimizer behind the rule; where it skips some, what is NaN too."""
    shapes = case.given.get("shapes") or ast.literal_eval(str(shared["shapes"]))
    clip, base = (
        Clip(case.entry, case.settings, shapes),
        mj.optimizers[case.given["base"]](**case.given["base_settings"]),
    )
    theta, broken = shared["theta"], "broken" in case.arrays
    state, path = base.init(theta), []
    for g in with_errors(shared["gradients"]) if broken else shared["gradients"]:
        clipped = clip.call(theta, g, 1.0)
        if clipped is not None:
            theta, state = base.update(theta, clipped, state, learning_rate=case.given["learning_rate"])
        path.append(theta)
    kept = np.stack([path[step - 1] for step in STEPS])
    return {"path": np.nan_to_num(kept), "broken": np.isnan(kept).astype(float)} if broken else {"path": kept}


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
    with patch.multiple("mlpjit.kernels.arithmetic.random", **draws):
        layers = net.layers(net.init({"name": case.entry, **case.settings}, x=shared["x"]))
    return {name: layers[int(name[1:])][name[0]] for name in case.arrays}


def activation(case: Golden, shared: Arrays) -> Arrays:
    """f, f' and f'' on shared["z"], f and f' at the kinks; those that the golden case has."""

    name = parse_activation({"name": case.entry, **case.settings})

    def at(points: np.ndarray) -> list[np.ndarray]:
        found = [np.empty_like(points) for _ in range(3)]
        call = linking.activation(name, "float64", "evaluation").call
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
    linking.loss_tangent(case.entry, "float64").call(rows, outputs, z, moved, outputs, y, numbers, spare, 1 / rows)
    total = linking.loss(case.entry, "float64").call(rows, outputs, z, outputs, y, numbers, 1 / rows)
    return {"value": np.array(total / rows), "gradient": gradient, "product": product}


def iris_run(penalties: dict[str, float]) -> Run:
    """Return a run of a 4-3-3 network on iris, all samples in one batch."""
    given = {"dataset": "iris", "hidden": [3], "activation": "tanh", "batch_size": "full", "dtype": "float64"}
    return Run(mj.RunConfig(**given, shuffle=False, **penalties))


def penalty(case: Golden, shared: Arrays) -> Arrays:
    """The loss with its penalties, and the gradient, as a run computes them at shared["theta"]."""
    run = iris_run(case.settings)
    np.testing.assert_array_equal(run.data.x_train, shared["x"])
    run.params[:], run.order[:] = shared["theta"], np.arange(len(run.order))
    tables, rows = (run.plan.ctypes.data, run.addresses.ctypes.data), len(run.order)
    jit.load(gather_batch, "float64").call(*tables, 0, rows)
    value = jit.load(batch_gradient, "float64").call(*tables, rows)
    return {"value": np.array(value), "gradient": run.grads.copy()}


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
    given = {"name": case.entry, **schedules[case.entry].defaults, **case.settings}
    numbers = filled(
        NUMBER, {"l1": 0.0, "l2": 0.0, "decay": 0.0, "loss_factor": 1.0, **plateau_numbers(given)}, "float64"
    )
    carry, found = np.zeros(len(CARRY)), []
    carry[[CARRY.rate_factor, CARRY.plateau_best]] = 1.0, np.inf
    for value in values:
        jit.load(watch_plateau, "float64").call(numbers.ctypes.data, carry.ctypes.data, value)
        found.append(carry[CARRY.rate_factor])
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
    "optimizers": optimizer, "wrappers": wrapper, "clippings": clipping, "activations": activation, "losses": loss,
    "penalties": penalty, "schedules": schedule, "initializers": initializer, "normalizations": normalization,
    "residuals": residual,
    "datasets": dataset,
}  # fmt: skip
