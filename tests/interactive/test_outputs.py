"""What every layer makes and hands back, Jacobian-vector products and losses at many points, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import activations, normalizations

CASES = [
    ("tanh", "none", "none", "cross_entropy", "identity"), ("gelu", "batch", "post", "mse", "softmax"),
    ("prelu", "layer", "pre", "mse", "tanh"), ("elu", "weight", "none", "huber", "identity"),
]  # fmt: skip
SIZES = [5, 7, 7, 3]


def problem(activation, normalization, residual, loss, output, rows=11, dtype="float64"):
    """A network, parameters of which none is 0 or 1, inputs and targets."""
    net = mj.Network(
        SIZES, activation, normalization=normalization, residual=residual, loss=loss, output_activation=output,
        dtype=dtype,
    )  # fmt: skip
    rng = np.random.default_rng(rows)
    params = net.init("he_normal", seed=2) + 0.2 * rng.normal(size=net.parameter_count)
    return net, params, rng.normal(size=(rows, 5)), np.eye(3)[rng.integers(3, size=rows)]


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_outputs_are_those_of_numpy_layer_by_layer(rows):
    net, params, x, _ = problem("tanh", "none", "none", "cross_entropy", "identity", rows)
    a, found = x, net.outputs(params, x)
    for number, (layer, (z, given)) in enumerate(zip(net.layers(params), found, strict=True), start=1):
        expected = a @ layer["W"] + layer["b"]
        a = expected if number == len(found) else np.tanh(expected)
        np.testing.assert_allclose(z, expected, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(given, a, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_last_layer_hands_on_the_prediction(case):
    net, params, x, _ = problem(*case)
    found = net.outputs(params, x)
    np.testing.assert_array_equal(found[-1].a, net.predict(params, x))
    assert [made.z.shape for made in found] == [made.a.shape for made in found] == [(11, 7), (11, 7), (11, 3)]


def test_outputs_take_running_statistics():
    net, params, x, _ = problem(*CASES[1])
    running = np.concatenate([np.full(7, 0.3), np.full(7, 2.0)] * 2)
    np.testing.assert_array_equal(net.outputs(params, x, running)[-1].a, net.predict(params, x, running))
    assert not np.array_equal(net.outputs(params, x, running)[-1].a, net.predict(params, x))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_deltas_make_the_gradient(case):
    """dL/dW = a^T delta and dL/db = sum delta, but for weight normalization, whose W is not the product's."""
    net, params, x, y = problem(*case)
    inputs, deltas = [x, *(made.a for made in net.outputs(params, x))], net.deltas(params, x, y)
    for layer, a, delta in zip(net.layers(net.loss_and_grad(params, x, y)[1]), inputs, deltas, strict=False):
        np.testing.assert_allclose(layer["b"], delta.sum(0), rtol=1e-11, atol=1e-15)
        if case[1] != "weight":
            np.testing.assert_allclose(layer["W"], a.T @ delta, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("rows", [1, 11])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_jacobian_vector_products_are_differences_of_outputs(case, rows):
    net, params, x, _ = problem(*case, rows=2 if rows == 1 and case[1] == "batch" else rows)
    vector, small = np.random.default_rng(3).normal(size=net.parameter_count), 1e-6
    ends = [net.predict(params + step * vector, x) for step in (small, -small)]
    np.testing.assert_allclose(net.jvp(params, vector, x), (ends[0] - ends[1]) / (2 * small), rtol=1e-6, atol=1e-8)


def test_the_gradient_is_the_jacobian_against_the_loss():
    """g v = sum (dL/dyhat) (J v): of squared errors dL/dyhat = 2 (yhat - y) / n."""
    net, params, x, y = problem("tanh", "none", "none", "mse", "identity")
    vector = np.random.default_rng(3).normal(size=net.parameter_count)
    against = np.sum(2 * (net.predict(params, x) - y) / len(x) * net.jvp(params, vector, x))
    assert net.loss_and_grad(params, x, y)[1] @ vector == pytest.approx(against, rel=1e-12)


def test_jacobian_vector_products_of_a_network_with_dropout():
    net = mj.Network(SIZES, "tanh", dropout=0.4, dtype="float64")
    params, x, masks = net.init(seed=1), np.random.default_rng(0).normal(size=(6, 5)), net.masks(6, seed=9, step=3)
    vector, small = np.random.default_rng(3).normal(size=net.parameter_count), 1e-6

    def dropped(point: np.ndarray) -> np.ndarray:
        a = x
        for layer, mask in zip(net.layers(point), [*masks, 1.0], strict=True):
            z = a @ layer["W"] + layer["b"]
            a = z if mask is not masks[0] and mask is not masks[1] else np.tanh(z) * mask
        return a

    expected = (dropped(params + small * vector) - dropped(params - small * vector)) / (2 * small)
    np.testing.assert_allclose(net.jvp(params, vector, x, seed=9, step=3), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", list(normalizations))
def test_losses_at_many_points_are_those_one_by_one(normalization, dtype):
    net, params, x, y = problem("tanh", normalization, "none", "cross_entropy", "identity", dtype=dtype)
    many = params + np.random.default_rng(1).normal(size=(6, net.parameter_count))
    many[4, 0] = np.nan
    expected = [net.loss_and_grad(point, x, y)[0] for point in many]
    found = net.losses(many, x, y)
    np.testing.assert_array_equal(found, expected)
    assert np.isnan(found[4])
    assert found.dtype == np.float64


def test_losses_at_no_point_are_none():
    net, _, x, y = problem("tanh", "none", "none", "mse", "identity")
    assert net.losses(np.empty((0, net.parameter_count)), x, y).shape == (0,)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_goes_through(value):
    """One unit, one sample: a network that is as small as there is."""
    net = mj.Network([1, 1, 1], "identity", loss="mse", dtype="float64")
    x, y, params = np.array([[value]]), np.ones((1, 1)), np.ones(4)
    assert not np.isfinite(net.outputs(params, x)[0].z).any()
    assert not np.isfinite(net.losses(params[None], x, y)).any()
    assert not np.isfinite(net.deltas(params, x, y)[1]).any()


NET, X = mj.Network([3, 2, 1], loss="mse"), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NET.outputs(np.zeros(10), X), r"params: got shape \(10,\), need \(11,\)$"),
        (lambda: NET.outputs(np.zeros(11), X[:, :2]), r"x: got shape \(2, 2\), need \(n, 3\) with n at least 1$"),
        (lambda: NET.outputs(np.zeros(11), X, np.zeros(4)), r"statistics: got shape \(4,\), need \(0,\)$"),
        (lambda: NET.deltas(np.zeros(11), X, np.zeros((2, 2))), r"targets: got shape \(2, 2\), need \(2, 1\)$"),
        (lambda: NET.jvp(np.zeros(11), np.zeros(10), X), r"vector: got shape \(10,\), need \(11,\)$"),
        (lambda: NET.losses(np.zeros(11), X, X[:, :1]), r"many_params: got shape \(11,\), need \(k, 11\)$"),
        (lambda: NET.losses(np.zeros((4, 10)), X, X[:, :1]), r"many_params: got shape \(4, 10\), need \(k, 11\)$"),
    ],
)
def test_errors_name_the_shapes(call, message):
    with pytest.raises(mj.ConfigError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", list(activations))
def test_activations_are_functions_of_arrays(name):
    """Differences of f, and of f', away from kinks."""
    f, z, small = mj.activations[name], np.array([[-2.3, -0.7, 0.3], [0.6, 1.9, 4.2]]), 1e-6
    assert f(z).shape == z.shape
    np.testing.assert_allclose(f.derivative(z), (f(z + small) - f(z - small)) / (2 * small), rtol=1e-6, atol=1e-8)
    second = (f.derivative(z + small) - f.derivative(z - small)) / (2 * small)
    np.testing.assert_allclose(f.second_derivative(z), second, rtol=1e-5, atol=1e-8)
    assert f(z.astype(np.float32)).dtype == np.float32
    assert np.isnan(f(np.nan))


def test_activations_take_what_an_array_can_be():
    relu, celu = mj.activations["relu"], mj.activations["celu"]
    np.testing.assert_array_equal(relu([-1, 2]), [0.0, 2.0])
    assert relu(3.0).shape == ()
    assert relu(np.zeros((0, 2))).shape == (0, 2)
    np.testing.assert_array_equal(relu(np.arange(-3.0, 3.0)[::2]), [0.0, 0.0, 1.0])
    np.testing.assert_allclose(celu(-1.0, alpha=2.0), 2.0 * np.expm1(-0.5), rtol=1e-15)
    assert repr(celu).startswith("celu\n  f(z): ")
    assert "relu" in mj.activations
    assert list(mj.activations) == list(activations)
    z = np.array([1.0, -1.0])
    relu(z)
    np.testing.assert_array_equal(z, [1.0, -1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mj.activations["rleu"], "did you mean 'relu'"),
        (lambda: mj.activations["relu"](["a"]), "z: got an array of <U1, need float32 or float64"),
        (lambda: mj.activations["relu"](np.zeros(3, np.float16)), "z: got an array of float16"),
        (lambda: mj.activations["relu"](0.0, alpha=1.0), "unknown key 'alpha' of 'relu'"),
    ],
)
def test_activations_say_what_is_wrong(call, message):
    with pytest.raises(mj.ConfigError, match=message):
        call()
