"""Every wrapper around every optimizer, in a run and in single steps, against the two put together in NumPy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from oracles.wrappers import WRAPPERS

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers, wrappers, wrapping_problem
from mlpjit.interactive.step import Oracles, Step
from mlpjit.kernels.stages.stage import AFTER
from mlpjit.training.run import Run

RATE, DECAY, STEPS = 0.02, 0.3, 7
LAYERS = [(10, 3), (3,), (3, 1), (1,)]
NET = mj.Network([10, 3, 1], "tanh", loss="mse", dtype="float64")
# Most agree to 1e-12; the eigenbases of matrices without full rank (soap) make 1e-8 of the last bits.
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def config(wrapper: str | None, optimizer: str, decay: float = 0.0) -> mj.RunConfig:
    return mj.RunConfig(
        dataset="diabetes", hidden=[3], activation="tanh", batch_size="full", epochs=STEPS, dtype="float64",
        optimizer=optimizer, wrapper=wrapper, learning_rate=RATE, init="xavier_normal", weight_decay=decay,
        evaluate_every=STEPS,
    )  # fmt: skip


@cache
def possible(wrapper: str | None, optimizer: str, decay: float = 0.0) -> bool:
    """Say whether there can be such a run."""
    try:
        return bool(config(wrapper, optimizer, decay))
    except mj.ConfigError:
        return False


def decay_of(optimizer: str) -> float:
    """Return the run's decay, 0 with an optimizer that bears none."""
    return DECAY if possible(None, optimizer, DECAY) else 0.0


PAIRS = [(w, o) for w in wrappers for o in optimizers]
TOGETHER = [pair for pair in PAIRS if possible(*pair)]
REFUSED = [pair for pair in PAIRS if wrapping_problem(wrappers[pair[0]], optimizers[pair[1]])]


def slices() -> list[slice]:
    ends = np.cumsum([int(np.prod(shape)) for shape in LAYERS])
    return [slice(end - int(np.prod(shape)), end) for end, shape in zip(ends, LAYERS, strict=True)]


def decayed(theta: np.ndarray, decay: float) -> np.ndarray:
    """Return theta with its matrices decayed as the run does it."""
    made = theta.copy()
    for part, shape in zip(slices(), LAYERS, strict=True):
        made[part] *= 1.0 - RATE * decay * (len(shape) == 2)
    return made


class Problem:
    """The loss of the run's training set, its gradient and its curvature."""

    def __init__(self, run: Run) -> None:
        self.data = run.data.x_train, run.data.y_train

    def gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        return NET.loss_and_grad(theta, *self.data)

    def curvature(self, theta: np.ndarray, vector: np.ndarray) -> np.ndarray:
        return NET.hessian_vector_product(theta, vector, *self.data)


@cache
def stands_alone(optimizer: str) -> bool:
    """Say whether an optimizer's step can be taken without a network: some ask for what only a run has."""
    try:
        composed_path("lookahead", optimizer, Run(config(None, optimizer)), steps=1)
    except mj.ConfigError:
        return False
    return True


def composed_path(wrapper: str, optimizer: str, run: Run, steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Return theta and the point to report after some steps of our base optimizer in the wrapper of NumPy."""
    base, problem, theta = mj.optimizers[optimizer], Problem(run), run.params.copy()
    state = base.init(theta, layers=LAYERS)

    def take(theta, g, loss):
        nonlocal state
        begun = decayed(theta, run.config.weight_decay)
        asked = {"gradient": problem.gradient, "curvature": problem.curvature}
        made, state = base.update(begun, g, state, learning_rate=RATE, loss=loss, **asked)
        return begun, made

    step = WRAPPERS[wrapper](theta.copy(), slices(), **wrappers[wrapper].defaults)
    for t in range(1, steps + 1):
        loss, g = problem.gradient(theta)
        theta = step(t, theta, g, loss, take, problem.gradient)
    return theta, base.point(theta, state)


def test_every_wrapper_has_an_oracle():
    assert set(WRAPPERS) == set(wrappers)


@pytest.mark.parametrize(("wrapper", "optimizer"), TOGETHER)
def test_a_run_of_the_pair_is_both_put_together(wrapper, optimizer):
    run = Run(config(wrapper, optimizer, decay_of(optimizer)))
    start = run.params.copy()
    expected = composed_path(wrapper, optimizer, run) if stands_alone(optimizer) else None
    run.advance()
    assert np.isfinite(run.params).all()
    assert not np.array_equal(run.params, start)
    if expected:
        np.testing.assert_allclose(run.params, expected[0], **CLOSE)
        np.testing.assert_allclose(run.result().params, expected[1], **CLOSE)


@pytest.mark.parametrize(("wrapper", "optimizer"), TOGETHER)
def test_single_steps_of_the_pair_are_the_runs_steps(wrapper, optimizer):
    if not stands_alone(optimizer):
        with pytest.raises(mj.ConfigError):
            composed_path(wrapper, optimizer, Run(config(wrapper, optimizer)), steps=1)
        return
    run = Run(config(wrapper, optimizer))
    problem, theta, opt = Problem(run), run.params.copy(), mj.wrappers[wrapper](mj.optimizers[optimizer])
    state = opt.init(theta, layers=LAYERS)
    for _ in range(STEPS):
        loss, g = problem.gradient(theta)
        theta, state = opt.update(
            theta, g, state, learning_rate=RATE, loss=loss, gradient=problem.gradient, curvature=problem.curvature
        )
    run.advance()
    np.testing.assert_allclose(run.params, theta, **CLOSE)
    np.testing.assert_allclose(run.result().params, opt.point(theta, state), **CLOSE)


@pytest.mark.parametrize(("wrapper", "optimizer"), REFUSED)
def test_pairs_that_cannot_work_are_refused(wrapper, optimizer):
    wanted = f"wrapper '{wrapper}' of optimizer '{optimizer}': "
    with pytest.raises(mj.ConfigError, match=wanted):
        config(wrapper, optimizer)
    with pytest.raises(mj.ConfigError, match=wanted):
        mj.wrappers[wrapper](mj.optimizers[optimizer])


def test_averages_are_refused_where_the_parameters_are_moved_behind_them():
    """x of schedule-free is worked out from y and z, the mean is of what the optimizer wrote."""
    assert ("lookahead", "averaged_sgd") in REFUSED
    assert ("mechanic", "schedule_free_sgd") in REFUSED
    assert ("sam", "schedule_free_adamw") in TOGETHER


@pytest.fixture
def reporting() -> Iterator[None]:
    wrappers.register(dataclasses.replace(wrappers["mars"], name="reporting_in_test", point=True))
    yield
    wrappers.remove("reporting_in_test")


def test_two_points_to_report_are_refused(reporting):
    with pytest.raises(mj.ConfigError, match="both report another point"):
        config("reporting_in_test", "averaged_sgd")


@pytest.mark.parametrize("wrapper", list(wrappers))
def test_a_wrapper_says_whether_it_moves_the_parameters_behind_the_optimizer(wrapper):
    """Which decides about pairs."""
    opt, theta, rng = mj.wrappers[wrapper](mj.optimizers["sgd"]), np.ones(6), np.random.default_rng(1)
    state, moved = opt.init(theta), False
    for _ in range(STEPS):
        work = Step(opt.parts(), theta, rng.normal(size=6), state, RATE)
        base, around = work.stages
        asked = Oracles(lambda p: (1.0, p))
        around.serve(0, 1.0, asked)
        base.serve(0, 1.0, asked)
        before = work.params.copy()
        around.serve(AFTER, 1.0, asked)
        moved |= not np.array_equal(work.params, before)
        theta, state = work.params.copy(), dataclasses.replace(state, step=state.step + 1, values=work.values())
    assert moved == wrappers[wrapper].moves
