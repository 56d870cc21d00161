"""The network: a 3-2-1 network worked by hand, outputs and losses against NumPy, and the errors of the interface."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import forward

import mlpjit as mj
from mlpjit.errors import ConfigError

# Three inputs, two sigmoid units, one linear output, squared error; one sample. Worked by hand (source, 2 to 4):
#
#   x = (1, 2, -1), y = 1
#   unit 1: w = (1, -1, 1), b = 2               z = 1 - 2 - 1 + 2 = 0              a = sigmoid(0) = 1/2
#   unit 2: w = (1/2, 1, 2), b = ln 3 - 1/2     z = 1/2 + 2 - 2 + ln 3 - 1/2       a = sigmoid(ln 3) = 3/4
#   output: w = (2, -4), b = 3/2                yhat = 1 - 3 + 3/2 = -1/2
#
#   loss  L = (yhat - y)^2 = (-3/2)^2 = 9/4
#   delta of the output: dL/dyhat = 2 (yhat - y) = -3, and sigma' = 1
#     dW = delta a = (-3/2, -9/4), db = -3
#   delta of the hidden units: w delta a (1 - a)
#     unit 1: 2 (-3) (1/2)(1/2) = -3/2
#     unit 2: -4 (-3) (3/4)(1/4) = 9/4
#     dW = x delta: unit 1 (-3/2, -3, 3/2), unit 2 (9/4, 9/2, -9/4); db = (-3/2, 9/4)
#
# mlpjit stores W as (fan_in, fan_out): a unit is a column.
X, Y = np.array([[1.0, 2.0, -1.0]]), np.array([[1.0]])
W1, B1 = np.array([[1.0, 0.5], [-1.0, 1.0], [1.0, 2.0]]), np.array([2.0, np.log(3.0) - 0.5])
W2, B2 = np.array([[2.0], [-4.0]]), np.array([1.5])
PARAMS = np.concatenate([W1.ravel(), B1, W2.ravel(), B2])
GRADIENT = [-1.5, 2.25, -3.0, 4.5, 1.5, -2.25, -1.5, 2.25, -1.5, -2.25, -3.0]
BY_HAND = {"activation": "sigmoid", "loss": "mse"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_three_two_one_by_hand(dtype):
    net = mj.Network([3, 2, 1], dtype=dtype, **BY_HAND)
    allowed = 4 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(net.predict(PARAMS, X), [[-0.5]], rtol=allowed)
    loss, gradient = net.loss_and_grad(PARAMS, X, Y)
    assert loss == pytest.approx(2.25, rel=allowed)
    np.testing.assert_allclose(gradient, GRADIENT, rtol=allowed)


def test_one_step_of_gradient_descent_by_hand():
    """Theta - 0.1 gradient: the output's bias goes from 3/2 to 9/5, unit 1's first weight from 1 to 1.15."""
    net = mj.Network([3, 2, 1], dtype="float64", **BY_HAND)
    sgd = mj.optimizers["sgd"]
    gradient = net.loss_and_grad(PARAMS, X, Y)[1]
    moved = net.layers(sgd.update(PARAMS, gradient, sgd.init(PARAMS), learning_rate=0.1)[0])
    np.testing.assert_allclose(moved[1]["b"], [1.8], rtol=1e-15)
    np.testing.assert_allclose(moved[0]["W"][0], [1.15, 0.275], rtol=1e-15)


def test_the_loss_is_a_mean_over_samples():
    """A second sample that is met exactly (target -1/2) halves loss and gradient."""
    net = mj.Network([3, 2, 1], dtype="float64", **BY_HAND)
    loss, gradient = net.loss_and_grad(PARAMS, np.vstack([X, X]), np.array([[1.0], [-0.5]]))
    assert loss == pytest.approx(1.125, rel=1e-15)
    np.testing.assert_allclose(gradient, np.array(GRADIENT) / 2, rtol=1e-14)


@pytest.mark.parametrize("rows", [2, 9, 65])
@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize(("loss", "output"), [("cross_entropy", "identity"), ("mse", "identity"), ("mse", "softmax")])
@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_outputs_and_losses_against_numpy(hidden, loss, output, normalization, rows):
    net = mj.Network(
        [5, 17, 3, 33, 4], hidden, loss=loss, output_activation=output, normalization=normalization, dtype="float64"
    )
    rng = np.random.default_rng(rows)
    params = net.init("he_normal", seed=2) + 0.2 * rng.normal(size=net.parameter_count)
    x, y = rng.normal(size=(rows, 5)), np.eye(4)[rng.integers(4, size=rows)]
    expected = forward.outputs(net.layers(params), x, hidden, output)
    np.testing.assert_allclose(net.predict(params, x), expected, rtol=1e-11, atol=1e-12)
    assert net.loss_and_grad(params, x, y)[0] == pytest.approx(getattr(forward, loss)(expected, y), rel=1e-12)


def test_layers_are_views_in_the_documented_order():
    net = mj.Network([3, 2, 4, 1], normalization="batch", dtype="float64", loss="mse")
    packed = np.arange(net.parameter_count, dtype=float)
    views = net.layers(packed)
    assert [list(view) for view in views] == [["W", "b", "gamma", "beta"]] * 2 + [["W", "b"]]
    np.testing.assert_array_equal(np.concatenate([t.ravel() for view in views for t in view.values()]), packed)
    views[1]["gamma"][:] = -1.0
    assert (packed == -1.0).sum() == 4


def test_arguments_are_left_as_they_are():
    net = mj.Network([3, 2, 1], dtype="float64", **BY_HAND)
    params, x, y = PARAMS.copy(), X.copy(), Y.copy()
    net.loss_and_grad(params, x, y)
    for now, before in ((params, PARAMS), (x, X), (y, Y)):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mj.Network([3]), "need inputs, hidden widths and outputs"),
        (lambda: mj.Network([3, 0, 1]), "whole numbers from 1 up"),
        (lambda: mj.Network([3, 1], dtype="float16"), "got 'float16'"),
        (lambda: mj.Network([3, 2, 1], "rleu"), "did you mean 'relu'"),
        (lambda: mj.Network([3, 2, 1], ["relu", "tanh"]), "2 names for 1 hidden"),
        (lambda: mj.Network([3, 2, 1], loss="mes"), "did you mean 'mse'"),
        (lambda: mj.Network([3, 2, 1], output_activation="tanh"), "works on logits"),
        (lambda: mj.Network([3, 2, 1]).predict(np.zeros(11), np.zeros((2, 4))), r"x: got shape \(2, 4\)"),
        (lambda: mj.Network([3, 2, 1]).predict(np.zeros(11), np.zeros((0, 3))), "n at least 1"),
        (lambda: mj.Network([3, 2, 1]).predict(np.zeros(10), np.zeros((2, 3))), r"got shape \(10,\), need \(11,\)"),
        (lambda: mj.Network([3, 1]).loss_and_grad(np.zeros(4), np.zeros((2, 3)), np.zeros(2)), "targets"),
    ],
)
def test_errors_say_what_was_got_and_what_is_needed(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize("sizes", [[64.0, 10], [64, True], [64], [64, 0], ["64", 10]], ids=str)
def test_sizes_are_whole_numbers(sizes):
    with pytest.raises(ConfigError, match=r"sizes: got .*, whole numbers from 1 up"):
        mj.Network(sizes)


def test_sizes_may_be_numbers_of_numpy():
    assert mj.Network(np.array([3, 2])).sizes == [3, 2]


def test_a_misspelt_key_of_an_initializer_is_told():
    with pytest.raises(ConfigError, match="unknown key 'gian' of 'xavier_normal': did you mean 'gain'"):
        mj.Network([3, 2]).init({"name": "xavier_normal", "gian": 2.0})
