"""Stages that ask for more than one gradient or for the loss: served, counted, and right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.language import Float64, Float64s, Int, Ints, Reals, dot, load, offset, real, sqrt, store
from mlpjit.kernels.stages.stage import DONE, NEED_GRADIENT, NEED_LOSS
from mlpjit.training.run import Run

RADIUS = 0.05


def sam_in_test(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Sharpness-aware minimization on plain gradient descent (Foret et al. 2021, arXiv:2010.01412, algorithm 1)."""
    if phase == 0:
        scale = real(load(settings, 0) / sqrt(dot(grads, grads, count)))
        for i in range(count):
            store(state, i, load(params, i))
            store(params, i, load(params, i) + scale * load(grads, i))
        return NEED_GRADIENT
    for i in range(count):
        store(params, i, load(state, i) - real(learning_rate) * load(grads, i))
    return DONE


def backtracking_in_test(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Gradient descent from a rate that is halved until the loss falls below where it began."""
    before = offset(state, count)
    if phase == 0:
        for i in range(count):
            store(state, i, load(params, i))
        store(before, 0, real(loss))
    elif real(loss) < load(before, 0):
        return DONE
    rate = learning_rate
    for _ in range(phase):
        rate *= 0.5
    for i in range(count):
        store(params, i, load(state, i) - real(rate) * load(grads, i))
    return NEED_LOSS


def stage(function, name: str, states: int, extra: int) -> Stage:
    state = tuple(f"state{i}" for i in range(states))
    return Stage(name, function, "-", "-", {"radius": RADIUS}, kind="whole", state=state, extra_gradients=extra)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    made = [stage(sam_in_test, "sam_in_test", 1, 1), stage(backtracking_in_test, "backtracking_in_test", 2, 0)]
    for record in made:
        optimizers.register(record)
    yield
    for record in made:
        optimizers._records.pop(record.name)


def run(optimizer: str, rate: float) -> tuple[Run, mj.Network]:
    settings = mj.RunConfig(
        dataset="diabetes", hidden=[5], activation="tanh", batch_size="full", epochs=3, dtype="float64",
        optimizer=optimizer, learning_rate=rate, init="xavier_normal",
    )  # fmt: skip
    made = Run(settings)
    return made, mj.Network([10, 5, 1], "tanh", loss="mse", dtype="float64")


def test_a_second_gradient_on_the_same_batch():
    made, net = run("sam_in_test", 0.02)
    theta, x, y = made.params.copy(), made.data.x_train, made.data.y_train
    for _ in range(3):
        _, g = net.loss_and_grad(theta, x, y)
        _, g = net.loss_and_grad(theta + RADIUS * g / np.linalg.norm(g), x, y)
        theta = theta - 0.02 * g
    made.advance()
    np.testing.assert_allclose(made.params, theta, rtol=1e-9, atol=1e-12)
    assert made.result().counts == {"steps": 3, "gradients": 6}


def test_the_loss_at_other_parameters():
    made, net = run("backtracking_in_test", 50.0)
    theta, x, y = made.params.copy(), made.data.x_train, made.data.y_train
    halvings = 0
    for _ in range(3):
        value, g = net.loss_and_grad(theta, x, y)
        rate = 50.0
        while net.loss_and_grad(theta - rate * g, x, y)[0] >= value:
            rate, halvings = rate / 2, halvings + 1
        theta = theta - rate * g
    made.advance()
    assert halvings > 3
    np.testing.assert_allclose(made.params, theta, rtol=1e-9, atol=1e-12)
    assert made.result().counts["gradients"] == 3


def test_a_stage_that_asks_for_a_gradient_needs_one_in_single_steps():
    opt = mj.optimizers["sam_in_test"]
    params = np.ones(4)
    with pytest.raises(mj.ConfigError, match="give gradient="):
        opt.update(params, np.ones(4), opt.init(params), learning_rate=0.1)


@pytest.mark.parametrize(
    ("optimizer", "wrapper"),
    [("adam", None), ("averaged_sgd", None), ("lars", None), ("sgd", "sam"), ("momentum", "lookahead")],
)
def test_single_steps_are_the_runs_steps(optimizer, wrapper):
    """Driven from Python on the network's own gradient, a stage ends where the compiled run does."""
    settings = mj.RunConfig(
        dataset="diabetes", hidden=[5], activation="tanh", batch_size="full", epochs=7, dtype="float64",
        optimizer=optimizer, wrapper=wrapper, learning_rate=0.02, init="xavier_normal",
    )  # fmt: skip
    made, net = Run(settings), mj.Network([10, 5, 1], "tanh", loss="mse", dtype="float64")
    opt = mj.optimizers[optimizer] if wrapper is None else mj.wrappers[wrapper](mj.optimizers[optimizer])
    theta, x, y = made.params.copy(), made.data.x_train, made.data.y_train
    state = opt.init(theta, layers=[(10, 5), (5,), (5, 1), (1,)])
    for _ in range(7):
        loss, g = net.loss_and_grad(theta, x, y)
        theta, state = opt.update(
            theta, g, state, learning_rate=0.02, loss=loss, gradient=lambda p: net.loss_and_grad(p, x, y)
        )
    made.advance()
    np.testing.assert_allclose(made.params, theta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(made.result().params, opt.point(theta, state), rtol=1e-9, atol=1e-12)


def test_an_average_is_what_is_evaluated():
    """The last validation loss and the reported parameters are those of the running mean, not of the last iterate."""
    settings = mj.RunConfig(
        dataset="diabetes", hidden=[5], activation="tanh", epochs=3, dtype="float64", optimizer="averaged_sgd",
        learning_rate=0.02,
    )  # fmt: skip
    made, net = Run(settings), mj.Network([10, 5, 1], "tanh", loss="mse", dtype="float64")
    made.advance()
    result, data = made.result(), made.data
    loss, _ = net.loss_and_grad(result.params, data.x_validation, data.y_validation)
    np.testing.assert_allclose(result.metrics["final_validation_loss"], loss, rtol=1e-12)
    assert not np.allclose(result.params, made.params, rtol=1e-6)


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(mj.ConfigError, match="shapes of 6 numbers, params has 5"):
        mj.optimizers["lars"].init(np.ones(5), layers=[(2, 3)])
