"""Schedules against their formulas, warm-up included."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers, schedules
from mlpjit.config import identity
from mlpjit.config.combinations import largest_factor
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.training.run import Run
from mlpjit.training.schedule_values import momenta, rates
from mlpjit.training.shape import views

RATE, STEPS = 0.3, 500


def restarts(t: np.ndarray, T: int, period: int, growth: int, final: float) -> np.ndarray:
    """Each step's place in its cycle, found by walking through the steps."""
    found, place, length = [], 0, period
    for _ in range(int(t[-1]) + 1):
        if place == length:
            place, length = 0, length * growth
        found.append(final + (1 - final) * (1 + np.cos(np.pi * place / length)) / 2)
        place += 1
    return np.array(found)[t]


def one_cycle(t: np.ndarray, T: int, rise: float, fall: float, start: float, final: float, cosine: bool) -> np.ndarray:
    bends, values = ([0, rise, fall, 1], [start, 1, start, final]) if fall < 1 else ([0, rise, 1], [start, 1, final])
    if not cosine:
        return np.interp(t / T, bends, values)
    part = np.clip(np.searchsorted(bends, t / T, side="right") - 1, 0, len(bends) - 2)
    low, high = np.array(bends)[part], np.array(bends)[part + 1]
    begin, end = np.array(values)[part], np.array(values)[part + 1]
    return begin + (end - begin) * (1 - np.cos(np.pi * (t / T - low) / (high - low))) / 2


# Factor at step t of T, both counted behind the warm-up.
FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "constant": lambda t, T: np.ones(len(t)),
    "step": lambda t, T, every, factor: factor ** (t // every).astype(float),
    "multistep": lambda t, T, factor, milestones: factor ** np.searchsorted(milestones, t, side="right").astype(float),
    "exponential": lambda t, T, factor: factor ** (t / T),
    "inverse_time": lambda t, T, decay: 1 / (1 + decay * t),
    "inverse_sqrt": lambda t, T, timescale: np.sqrt(timescale / (timescale + t)),
    "polynomial": lambda t, T, power, final: final + (1 - final) * (1 - t / T) ** power,
    "linear": lambda t, T, final: 1 + (final - 1) * t / T,
    "cosine": lambda t, T, final: final + (1 - final) * (1 + np.cos(np.pi * t / T)) / 2,
    "cosine_restarts": restarts,
    "cyclic": lambda t, T, half_cycle, low: 1 - (1 - low) * abs(t / half_cycle % 2 - 1),
    "one_cycle": one_cycle,
    "warmup_stable_decay": lambda t, T, cooldown, final: np.interp(t / T, [1 - cooldown, 1], [1, final]),
    "rex": lambda t, T: 1 - t / (2 * T - t),
    "reduce_on_plateau": lambda t, T, **settings: np.ones(len(t)),  # what it does in a run: test_plateau.py
}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "constant": [{}], "step": [{}, {"every": 7, "factor": 0.9}],
    "multistep": [{}, {"factor": 0.5, "milestones": [3, 40, 41, 90, 400]}, {"milestones": [1000]}],
    "exponential": [{}, {"factor": 0.5}], "inverse_time": [{}, {"decay": 1.5}], "inverse_sqrt": [{}, {"timescale": 7}],
    "polynomial": [{}, {"power": 3, "final": 0.2}], "linear": [{}, {"final": 0.25}], "cosine": [{}, {"final": 0.1}],
    "cosine_restarts": [{}, {"period": 7, "growth": 1, "final": 0.1}, {"period": 10, "growth": 3}],
    "cyclic": [{}, {"half_cycle": 7, "low": 0}, {"half_cycle": 1}],
    "one_cycle": [{}, {"rise": 0.3, "fall": 1, "final": 0.001}, *({"fall": f, "cosine": True} for f in (0.8, 1))],
    "warmup_stable_decay": [{}, {"cooldown": 0.5, "final": 0.1}, {"cooldown": 1}], "rex": [{}],
    "reduce_on_plateau": [{}],
}  # fmt: skip
CASES = [(name, settings) for name in schedules for settings in SETTINGS.get(name, [{}])]
# These begin below the base rate, by design.
RISING = {"cyclic": 0.1, "one_cycle": 0.04}


def test_every_schedule_has_a_formula():
    assert set(schedules) == set(FORMULAS) == set(SETTINGS)


@pytest.mark.parametrize("warmup", [0, 1, 13, 500, 900])
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_rates(name, settings, warmup):
    found = rates(RunConfig(schedule={"name": name, "warmup": warmup, **settings}, learning_rate=RATE), STEPS)
    given = {**schedules[name].defaults, **settings}
    given.pop("warmup")
    t = np.arange(STEPS)
    after = FORMULAS[name](np.maximum(t - warmup, 0), max(STEPS - warmup, 1), **given)
    expected = RATE * np.where(t < warmup, (t + 1) / max(warmup, 1), after)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", list(schedules))
def test_the_first_step_has_the_base_rate(name):
    first = rates(RunConfig(schedule={"name": name, "warmup": 0}, learning_rate=RATE), STEPS)[0]
    assert first == pytest.approx(RISING.get(name, 1.0) * RATE, rel=1e-15)


def test_a_warm_up_rises_in_equal_steps_to_the_base_rate():
    found = rates(RunConfig(schedule={"name": "constant", "warmup": 4}, learning_rate=RATE), 6)
    np.testing.assert_allclose(found, RATE * np.array([0.25, 0.5, 0.75, 1.0, 1.0, 1.0]), rtol=1e-15)


@pytest.mark.parametrize("name", ["linear", "cosine", "polynomial", "rex", "warmup_stable_decay"])
def test_no_step_is_spent_at_rate_zero(name):
    """The end T, where these reach 0, would be the step behind the last."""
    assert rates(RunConfig(schedule={"name": name, "warmup": 0}, learning_rate=RATE), STEPS).min() > 0


WRONG = [
    ({"name": "step", "every": 0}, "schedule: every: got 0, need 1 or more"),
    ({"name": "step", "factor": 0}, "schedule: factor: got 0.0, need above 0"),
    ({"name": "multistep", "milestones": [100, 0]}, "schedule: milestones: got [100, 0], need 1 or more"),
    ({"name": "multistep", "milestones": []}, "schedule: milestones: got [], need a list of numbers"),
    ({"name": "multistep", "milestones": 100}, "schedule: milestones: got 100, need a list of numbers"),
    ({"name": "multistep", "milestones": ["x"]}, "schedule: milestones: got 'x', need a whole number"),
    ({"name": "cosine_restarts", "period": 0}, "schedule: period: got 0, need 1 or more"),
    ({"name": "one_cycle", "rise": 1.5}, "schedule: rise: got 1.5, need 0 or more and at most 1"),
    ({"name": "cosine", "warmup": -1}, "schedule: warmup: got -1, need 0 or more"),
]


@pytest.mark.parametrize(("spec", "line"), WRONG, ids=lambda value: str(value))
def test_wrong_settings(spec, line):
    with pytest.raises(ConfigError) as raised:
        RunConfig(schedule=spec)
    assert raised.value.problems == [line]


def test_a_list_is_part_of_what_a_run_is():
    one, same, other = (RunConfig(schedule={"name": "multistep", "milestones": m}) for m in ([5, 9], (5, 9), [5, 10]))
    assert one.run_id == same.run_id != other.run_id
    assert one.factors()["schedule"] == "multistep(milestones=(5, 9))"
    assert RunConfig(**json.loads(json.dumps(one.canonical()))).run_id == one.run_id


def test_a_schedule_of_the_weight_decay():
    """One step of plain gradient descent: W -= rate_t decay_t W, beside the gradient's part; biases do not decay."""
    given = {"weight_decay": 0.5, "weight_decay_schedule": {"name": "linear", "final": 0.2}, "schedule": "cosine"}
    config = RunConfig(hidden=[5], epochs=2, dtype="float64", optimizer="sgd", learning_rate=0.1, **given)
    run, plain = (Run(c) for c in (config, RunConfig(**{**config.canonical(), "weight_decay": 0.0})))
    np.testing.assert_allclose(run.decays, 0.5 * (1 - 0.8 * np.arange(run.steps) / run.steps), rtol=1e-14)
    for each in (run, plain):
        each.advance(7)
    plain.params[:] = run.params
    before = run.params.copy()
    for each in (run, plain):
        each.advance(8)
    amount = run.rates[7] * run.decays[7]
    for now, other, old in zip(*(views(run.layers, p) for p in (run.params, plain.params, before)), strict=True):
        np.testing.assert_allclose(now["W"], other["W"] - amount * old["W"], rtol=1e-13, atol=1e-16)
        np.testing.assert_array_equal(now["b"], other["b"])


def test_the_decays_schedule_is_told_where_there_is_one():
    both = RunConfig(schedule="cosine", weight_decay=0.1, weight_decay_schedule={"name": "linear", "final": 0.5})
    assert both.factors()["schedule"] == "cosine, decay linear(final=0.5)"
    assert RunConfig(schedule="cosine").factors()["schedule"] == "cosine"
    assert both.run_id != RunConfig(schedule="cosine", weight_decay=0.1).run_id
    with pytest.raises(ConfigError, match="it lowers the learning rate alone"):
        RunConfig(weight_decay_schedule="reduce_on_plateau")


INVERSE = {"name": "one_cycle", "rise": 0.4, "fall": 1.0, "start": 1.15, "final": 1.1}
FALLING = {"name": "multistep", "milestones": [3, 6], "factor": 0.3}
WITH_MOMENTUM = [record.name for record in optimizers.records() if record.momentum]


@pytest.mark.parametrize("name", WITH_MOMENTUM)
@pytest.mark.parametrize("spec", [INVERSE, {"name": "linear", "warmup": 2}], ids=["one_cycle", "linear"])
def test_a_schedule_of_the_momentum_is_single_steps_with_other_settings(name, spec):
    """Whatever the optimizer does with it: bias corrections use the momentum of their step, as in torch."""
    setting = optimizers[name].momentum
    config = RunConfig(
        dataset="diabetes", hidden=[3], activation="tanh", batch_size="full", epochs=7, dtype="float64",
        learning_rate=0.02, init="xavier_normal", optimizer={"name": name, setting: 0.6}, momentum_schedule=spec,
        schedule="cosine",
    )  # fmt: skip
    run, net = Run(config), mj.Network([10, 3, 1], "tanh", loss="mse", dtype="float64")
    theta, x, y = run.params.copy(), run.data.x_train, run.data.y_train
    start = theta.copy()
    state = mj.optimizers[name].init(theta, layers=[(10, 3), (3,), (3, 1), (1,)])
    asked = {
        "gradient": lambda p: net.loss_and_grad(p, x, y),
        "curvature": lambda p, v: net.hessian_vector_product(p, v, x, y),
    }
    run.advance()
    assert not np.array_equal(run.params, start)
    with suppress(ConfigError):  # from one that asks for what only a run has (kfac)
        for rate, momentum in zip(run.rates, run.momenta, strict=True):
            loss, g = net.loss_and_grad(theta, x, y)
            opt = mj.optimizers[name](**{setting: float(momentum)})
            theta, state = opt.update(theta, g, state, learning_rate=rate, loss=loss, **asked)
        # Eigenbases of matrices without full rank (soap) make 1e-8 of the last bits.
        np.testing.assert_allclose(run.params, theta, rtol=1e-6, atol=1e-6)
    assert len(set(run.momenta)) > 4


def nadam_of_torch(theta: np.ndarray, momenta: np.ndarray, rates: np.ndarray, gradient) -> np.ndarray:
    """torch.optim.NAdam (torch/optim/nadam.py, `_single_tensor_nadam`) while a scheduler sets its betas[0].

    mu_t = beta1 (1 - 0.5 0.96^(t psi)); mu_product *= mu_t is kept; theta -= lr (1 - mu_t) / (1 - mu_product) g / denom
    + lr mu_{t+1} / (1 - mu_product mu_{t+1}) exp_avg / denom.
    """
    mean, squares, product = np.zeros_like(theta), np.zeros_like(theta), 1.0
    for t, (beta, rate) in enumerate(zip(momenta, rates, strict=True), start=1):
        g = gradient(theta)
        now, following = (beta * (1 - 0.5 * 0.96 ** (at * 0.1)) for at in (t, t + 1))
        product *= now
        mean, squares = beta * mean + (1 - beta) * g, 0.99 * squares + 0.01 * g**2
        denominator = np.sqrt(squares / (1 - 0.99**t)) + 1e-8
        theta = theta - rate * (1 - now) / (1 - product) * g / denominator
        theta = theta - rate * following / (1 - product * following) * mean / denominator
    return theta


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("spec", [INVERSE, INVERSE | {"warmup": 2}, FALLING])
def test_nadam_keeps_the_product_of_the_momenta_it_had(spec, dtype):
    """Not that of the present momentum for all steps so far; in one call or in pieces."""
    settings = {"scheduled": True, "momentum_decay": 0.1, "b2": 0.99, "b1": 0.8}
    config = RunConfig(
        dataset="diabetes", hidden=[3], activation="tanh", batch_size="full", epochs=12, dtype=dtype,
        learning_rate=0.05, optimizer={"name": "nadam", **settings}, momentum_schedule=spec,
    )  # fmt: skip
    run, pieces, net = Run(config), Run(config), mj.Network([10, 3, 1], "tanh", loss="mse", dtype="float64")
    x, y, start = (each.astype("float64") for each in (run.data.x_train, run.data.y_train, run.params))
    expected = nadam_of_torch(start, run.momenta, run.rates, lambda theta: net.loss_and_grad(theta, x, y)[1])
    run.advance()
    for step in (1, 5, None):
        pieces.advance(step)
    np.testing.assert_allclose(run.params, expected, rtol=0, atol=1e-12 if dtype == "float64" else 1e-4)
    np.testing.assert_array_equal(run.params, pieces.params)


def test_the_momentum_of_every_step():
    config = RunConfig(optimizer={"name": "adam", "b1": 0.8}, momentum_schedule={"name": "linear", "final": 0.5})
    np.testing.assert_allclose(momenta(config, 10), 0.8 * (1 - 0.5 * np.arange(10) / 10), rtol=1e-15)


def test_a_run_in_pieces_has_the_momenta_of_a_run_at_once():
    config = RunConfig(hidden=[5], epochs=2, optimizer="momentum", momentum_schedule={"name": "linear"})
    whole, pieces = Run(config), Run(config)
    whole.advance()
    for step in (1, 2, 17, None):
        pieces.advance(step)
    np.testing.assert_array_equal(whole.params, pieces.params)
    plain = Run(RunConfig(hidden=[5], epochs=2, optimizer="momentum"))
    plain.advance()
    assert not np.array_equal(plain.params, whole.params)


def test_without_a_momentum_schedule_a_run_is_what_it_was():
    """Neither its canonical form nor its id has a word of it; with one both have."""
    slow = {"name": "momentum", "momentum": 0.8}
    given = {"optimizer": slow, "schedule": "cosine", "weight_decay_schedule": "linear"}
    plain, same, other = (RunConfig(**given, momentum_schedule=s) for s in ("constant", {"name": "constant"}, INVERSE))
    assert "momentum_schedule" not in plain.canonical()
    assert not any("momentum_schedule" in part.value(plain.__dict__) for part in identity.IDENTITY.values())
    assert ("schedules", "constant") not in identity.records_used(plain.__dict__)
    assert plain.run_id == same.run_id == RunConfig(**given).run_id != other.run_id
    assert plain.factors()["schedule"] == "cosine, decay linear"
    assert other.factors()["schedule"].startswith("cosine, decay linear, momentum one_cycle(")
    assert RunConfig(**json.loads(json.dumps(other.canonical()))).run_id == other.run_id
    warm = RunConfig(**given, momentum_schedule={"name": "constant", "warmup": 9})
    assert warm.run_id not in (plain.run_id, other.run_id)


WRONG_MOMENTA = [
    ({"optimizer": "sgd"}, "momentum_schedule 'linear' with optimizer 'sgd': it has no momentum to schedule"),
    ({"optimizer": "schedule_free_sgd"}, "'schedule_free_sgd': it has no momentum to schedule"),
    ({"momentum_schedule": "reduce_on_plateau"}, "'reduce_on_plateau': it lowers the learning rate alone"),
    ({"wrapper": "mars"}, "momentum_schedule 'linear' with wrapper 'mars': its b1 would stay as it is"),
    ({"momentum_schedule": INVERSE}, "'one_cycle': it takes momentum from 0.9 to 1.035, need below 1"),
    (
        {"momentum_schedule": {"name": "step", "factor": 1.01}},
        "'step': it takes momentum from 0.9 to inf, need below 1",
    ),
    ({"momentum_schedule": {"name": "multistep", "factor": 1.2}}, "it takes momentum from 0.9 to 1.296, need below 1"),
]


@pytest.mark.parametrize(("given", "line"), WRONG_MOMENTA)
def test_momentum_schedules_that_cannot_be(given, line):
    with pytest.raises(ConfigError) as raised:
        RunConfig(**{"optimizer": "momentum", "momentum_schedule": "linear", **given})
    assert line in " ".join(raised.value.problems)


@pytest.mark.parametrize("name", [name for name in schedules if not schedules[name].watches])
@pytest.mark.parametrize("more", [{}, {"final": 1.05}, {"start": 1.07}, {"low": 1.03}, {"factor": 1.02}])
def test_no_momentum_reaches_1_unsaid(name, more):
    """What is told of the largest factor of a schedule holds for every step."""
    given = {key: value for key, value in more.items() if key in schedules[name].defaults}
    spec = RunConfig(schedule={"name": name, **given}).schedule
    found = rates(RunConfig(schedule=spec, learning_rate=1.0), STEPS)
    assert found.max() <= largest_factor(spec) * (1 + 1e-14)
