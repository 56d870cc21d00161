"""What `mj.train` takes beside a config: first parameters, rates by step and layer, frozen layers, a loss factor."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.training.run import execute
from mlpjit.training.shape import parameter_count, total_steps

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), RNG.normal(size=(60, 2))
DATA = mj.Dataset(X, Y)
PLAIN = {
    "dataset": DATA, "hidden": [5, 4], "activation": "tanh", "optimizer": "sgd", "dtype": "float64", "epochs": 3,
    "batch_size": 16,
}  # fmt: skip


def config(**options):
    return mj.RunConfig(**{**PLAIN, **options})


def layers(of, params):
    """A network's tensors by layer."""
    net = mj.Network.of(DATA, of.hidden, activation=of.activation, normalization=of.normalization, dtype=of.dtype)
    return net.layers(params)


def steps_by_hand(of, params, factor=1.0, rates=None):
    """The same run in NumPy's hands: gradient descent on the batches of its order, (steps, layers) of rates."""
    net = mj.Network.of(DATA, of.hidden, activation="tanh", dtype="float64")
    data, params = DATA.split(of.split_seed, "float64"), params.copy()
    for step in range(total_steps(of)):
        rows = slice(*(np.clip([16 * (step % 3), 16 * (step % 3 + 1)], 0, len(data.x_train))))
        gradient = net.loss_and_grad(params, data.x_train[rows], data.y_train[rows])[1]
        for tensors, slopes, rate in zip(net.layers(params), net.layers(gradient), rates[step], strict=True):
            for name in tensors:
                tensors[name] -= rate * factor * slopes[name]
    return params


def test_without_any_of_it_a_run_is_a_run():
    plain = config()
    found = mj.train(plain)
    assert found.run_id == plain.run_id
    np.testing.assert_array_equal(found.params, execute(plain).params)
    assert repr(found).startswith(f"Run {plain.run_id}: done")


@pytest.mark.parametrize(
    ("optimizer", "wrapper"),
    [("sgd", None), ("adam", "lookahead"), ("schedule_free_adamw", None), ("madgrad", None), ("lbfgs", "lookahead")],
)
def test_own_parameters_that_init_would_draw_make_the_same_run(optimizer, wrapper):
    """States that begin as the parameters begin as those that are given."""
    plain = config(optimizer=optimizer, wrapper=wrapper, seed=7)
    drawn = execute(plain.model_copy(update={"epochs": 0})).params
    found = mj.train(plain.model_copy(update={"init_seed": 1}), params=drawn)
    np.testing.assert_array_equal(found.params, execute(plain).params)
    assert found.run_id is None
    assert repr(found).startswith("Run without an id (own params): done")


def test_parameters_are_given_by_layer_too():
    plain, own = config(), {1: {"W": np.full((5, 4), 0.5), "b": np.arange(4)}}
    drawn, found = (mj.train(plain.model_copy(update={"epochs": 0}), params=p).params for p in (None, own))
    before, after = layers(plain, drawn), layers(plain, found)
    np.testing.assert_array_equal(after[1]["W"], own[1]["W"])
    np.testing.assert_array_equal(after[1]["b"], own[1]["b"])
    np.testing.assert_array_equal(after[0]["W"], before[0]["W"])
    np.testing.assert_array_equal(mj.train(plain, params=before).params, execute(plain).params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", ["steps", "steps and layers"])
def test_rates_that_are_the_schedules_make_the_same_bits(shape, dtype):
    plain = config(learning_rate=0.1, optimizer="adamw", dtype=dtype)
    rates = np.full(total_steps(plain), 0.1)
    rates = rates if shape == "steps" else np.repeat(rates[:, None], 3, axis=1)
    found = mj.train(plain.model_copy(update={"learning_rate": 5.0}), learning_rates=rates)
    np.testing.assert_array_equal(found.params, execute(plain).params)
    assert found.steered == ("learning_rates",)


def test_a_rate_of_each_step_and_layer_and_a_loss_factor_against_numpy():
    plain = config(shuffle=False)
    rates = np.random.default_rng(1).uniform(0.0, 0.2, (total_steps(plain), 3))
    rates[2], rates[4, 1] = 0.0, 0.0
    begun = execute(plain.model_copy(update={"epochs": 0})).params
    found = mj.train(plain, learning_rates=rates, loss_factor=0.5)
    np.testing.assert_allclose(found.params, steps_by_hand(plain, begun, 0.5, rates), rtol=1e-11, atol=1e-13)


def test_a_loss_factor_is_of_the_training_loss_alone():
    plain = config(epochs=1, batch_size="full", shuffle=False)
    half, whole = mj.train(plain, loss_factor=0.5), mj.train(plain)
    assert half.history["train_loss"][1] == pytest.approx(0.5 * whole.history["train_loss"][1], rel=1e-14)
    assert half.history["validation_loss"][0] == whole.history["validation_loss"][0]
    twice = mj.train(plain.model_copy(update={"learning_rate": 2 * plain.learning_rate}), loss_factor=0.5)
    np.testing.assert_allclose(twice.params, whole.params, rtol=1e-13)


STAGES = [
    {"optimizer": "sgd", "l1": 0.1, "l2": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1}, {"optimizer": "muon"},
    {"optimizer": "shampoo"}, {"optimizer": "kfac"}, {"optimizer": "sophia"}, {"optimizer": "lbfgs"},
    {"optimizer": "adam", "wrapper": "sam"}, {"optimizer": "adam", "wrapper": "lookahead"}, {"optimizer": "prodigy"},
    {"optimizer": "sgd", "clip": {"name": "global_norm", "max_norm": 0.1}},
]  # fmt: skip


@pytest.mark.parametrize("stages", STAGES, ids=str)
def test_frozen_layers_stay_and_others_move(stages):
    plain = config(**stages)
    begun = layers(plain, execute(plain.model_copy(update={"epochs": 0})).params)
    found = mj.train(plain, frozen=[1])
    after = layers(plain, found.params)
    for name, tensor in begun[1].items():
        np.testing.assert_array_equal(after[1][name], tensor)
    assert all(np.any(after[layer]["W"] != begun[layer]["W"]) for layer in (0, 2))
    assert np.isfinite(found.params).all()
    assert found.history["gradient_norm"][1][1] == 0.0


def test_a_frozen_layer_is_no_part_of_the_norm_that_is_clipped():
    """Gradient descent with a small limit: what moves has a step of exactly rate x limit."""
    plain = config(clip={"name": "global_norm", "max_norm": 1e-3}, epochs=1, batch_size="full", learning_rate=1.0)
    begun = execute(plain.model_copy(update={"epochs": 0})).params
    moved = mj.train(plain, frozen=[0, 1]).params - begun
    assert np.linalg.norm(moved) == pytest.approx(1e-3, rel=1e-6)


def test_a_network_without_biases():
    plain = config(init={"name": "mean_field", "sigma_w": 1.0, "sigma_b": 0.5}, optimizer="adam")
    found = mj.train(plain, bias=False)
    assert all(not tensors["b"].any() for tensors in layers(plain, found.params))
    assert any(tensors["b"].any() for tensors in layers(plain, execute(plain).params))


@pytest.mark.parametrize("normalization", ["batch", "layer", "rms"])
def test_another_eps_of_normalizations(normalization):
    """A step of gradient descent is that of the network with this eps; 1e-5 is what there is without it."""
    plain = config(normalization=normalization, epochs=1, batch_size="full", shuffle=False)
    begun = execute(plain.model_copy(update={"epochs": 0})).params
    data = DATA.split(plain.split_seed, "float64")
    options = {"activation": "tanh", "normalization": normalization, "dtype": "float64"}
    for eps in (0.3, 1e-5):
        net = mj.Network.of(DATA, plain.hidden, normalization_eps=eps, **options)
        gradient = net.loss_and_grad(begun, data.x_train, data.y_train)[1]
        found = mj.train(plain, normalization_eps=eps).params
        np.testing.assert_allclose(found, begun - plain.learning_rate * gradient, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(found, execute(plain).params)
    assert np.abs(mj.train(plain, normalization_eps=0.3).params - found).max() > 1e-6


def test_curvature_and_derivatives_with_another_eps():
    net = mj.Network([3, 4, 2], "tanh", normalization="batch", loss="mse", dtype="float64", normalization_eps=0.5)
    rng = np.random.default_rng(0)
    params, vector, small = net.init(seed=1), rng.normal(size=net.parameter_count), 1e-5
    x, y = X[:9], Y[:9]
    z = x @ net.layers(params)[0]["W"]
    expected = np.tanh((z - z.mean(0)) / np.sqrt(z.var(0) + 0.5))
    np.testing.assert_allclose(net.outputs(params, x)[0].a, expected, rtol=1e-12)
    slopes = [net.loss_and_grad(params + step * vector, x, y)[1] for step in (small, -small)]
    product = net.hessian_vector_product(params, vector, x, y)
    np.testing.assert_allclose(product, (slopes[0] - slopes[1]) / (2 * small), rtol=1e-5, atol=1e-7)


def test_the_model_of_such_a_run_says_that_it_has_no_id():
    found = mj.train(config(epochs=1), frozen=[0])
    assert repr(found.model).startswith("Model of run without an id: ")
    assert found.predict(X).shape == (60, 2)


COUNT, STEPS = parameter_count(config()), total_steps(config())


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"params": np.zeros(3)}, rf"params: got float64 \(3,\), need numbers \({COUNT},\)$"),
        ({}, {"params": np.full(COUNT, "a")}, "params: got <U1"),
        ({}, {"params": [0.1] * COUNT}, "params: got 0.1 for layer 0, need its tensors by name, or an array"),
        ({}, {"params": {0: [1, 2]}}, r"params: got \[1, 2\] for layer 0"),
        ({}, {"params": {3: {}}}, "params: got layer 3, need numbers from 0 to 2"),
        ({}, {"params": {0: {"w": 1}}}, "params: layer 0 has no 'w', it has W, b"),
        ({}, {"params": {0: {"W": np.ones((5, 3))}}}, r"W of layer 0: got float64 \(5, 3\), need numbers \(3, 5\)"),
        ({}, {"learning_rates": 0.1}, rf"learning_rates: got float64 \(\), need numbers \({STEPS},\) or"),
        ({}, {"learning_rates": np.full(STEPS, np.nan)}, "learning_rates: need finite numbers from 0 up"),
        ({}, {"learning_rates": -np.ones((STEPS, 3))}, "learning_rates: need finite numbers from 0 up"),
        ({"schedule": "cosine"}, {"learning_rates": np.ones(STEPS)}, "learning_rates with schedule 'cosine'"),
        ({}, {"loss_factor": 0.0}, "loss_factor: got 0.0, need a positive number"),
        ({}, {"loss_factor": "2"}, "loss_factor: got '2', need a positive number"),
        ({}, {"loss_factor": np.full(2, 2.0)}, "loss_factor: got ndarray of shape"),
        ({}, {"loss_factor": np.inf}, "loss_factor: got inf"),
        ({}, {"normalization_eps": 0.0}, "normalization_eps: got 0.0, need a positive number"),
        ({}, {"frozen": [0, 3]}, "frozen: got layer 3, need numbers from 0 to 2"),
        ({"optimizer": "schedule_free_sgd"}, {"frozen": [0]}, "schedule_free_sgd reports another point"),
        ({"optimizer": "kfac"}, {"loss_factor": 2.0}, "loss_factor: kfac draws labels"),
    ],
)  # fmt: skip
def test_errors_say_what_does_not_fit(options, given, message):
    with pytest.raises(mj.ConfigError, match=message) as raised:
        mj.train(config(**options), **given)
    assert "\n" not in str(raised.value)
