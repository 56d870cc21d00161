"""Backpropagation against central differences: every activation x loss x output x normalization, odd sizes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import activations, losses, normalizations
from mlpjit.interactive.passes import Passes
from mlpjit.kernels.tables import LAYER

# Cross-entropy owns its softmax; every output activation goes with MSE, softmax by its full Jacobian.
HEADS = [*((loss, "identity") for loss in losses), *(("mse", output) for output in [*activations, "softmax"])]
SHAPES = {
    "small": ([5, 7, 2], 2), "narrow": ([5, 3, 1, 4], 9), "uneven": ([5, 17, 33, 7, 3], 65),
    "one output": ([5, 7, 1], 9),
}  # fmt: skip
STEP = 1e-5


def problem(
    sizes: list[int], rows: int, dtype: str = "float64", **options: object
) -> tuple[mj.Network, np.ndarray, np.ndarray, np.ndarray]:
    """Return a network, parameters (none of them 0 or 1), inputs and soft targets."""
    net = mj.Network(sizes, dtype=dtype, **options)
    rng = np.random.default_rng(sum(sizes) + rows)
    params = net.init("xavier_normal", seed=1) + 0.3 * rng.normal(size=net.parameter_count)
    y = rng.random((rows, sizes[-1])) + 0.1
    return net, params.astype(dtype), rng.normal(size=(rows, sizes[0])), y / y.sum(1, keepdims=True)


def directions(net: mj.Network, count: int = 3) -> np.ndarray:
    """Return random unit directions, `count` inside each tensor and as many over all parameters."""
    rng, found = np.random.default_rng(4), []
    tensors = [offset_shape for layer in net.layout for offset_shape in layer.tensors().values()]
    for at, shape in [*tensors, (0, (net.parameter_count,))]:
        for _ in range(count):
            direction = np.zeros(net.parameter_count)
            size = int(np.prod(shape))
            direction[at : at + size] = rng.normal(size=size)
            found.append(direction / np.linalg.norm(direction))
    return np.array(found)


def slope(net: mj.Network, params: np.ndarray, direction: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Return the loss's slope along a direction by the five-point central difference, error O(STEP^4).

    Three points do not suffice: batch normalization of two samples that nearly agree is far from a parabola.
    """
    near, far = (
        net.loss_and_grad(params + h * direction, x, y)[0] - net.loss_and_grad(params - h * direction, x, y)[0]
        for h in (STEP, 2 * STEP)
    )
    return (8 * near - far) / (12 * STEP)


def assert_gradient(net: mj.Network, params: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    gradient, lines = net.loss_and_grad(params, x, y)[1], directions(net)
    numeric = np.array([slope(net, params, direction, x, y) for direction in lines])
    error, size = np.linalg.norm(lines @ gradient - numeric), np.linalg.norm(numeric)
    # 1e-9 is what rounding leaves of a difference where the whole gradient is 0.
    assert error <= 1e-6 * size + 1e-9


def turn(things: Iterable[str]) -> dict[str, str]:
    """Give each name one of the shapes, in turn."""
    return dict(zip(things, cycle(SHAPES), strict=False))


# Every activation with every loss and with every normalization; every head with none and another one.
TURNS = cycle(normalizations)
HIDDEN = [
    *((activation, loss, next(TURNS)) for activation in activations for loss in losses),
    *((activation, "huber", normalization) for activation in activations for normalization in normalizations),
]  # fmt: skip
ENDS = [(*head, name) for head in HEADS for name in dict.fromkeys(("none", next(TURNS)))]


@pytest.mark.parametrize(("activation", "loss", "normalization"), dict.fromkeys(HIDDEN))
def test_gradients(activation, loss, normalization):
    sizes, rows = SHAPES[turn(activations)[activation]]
    assert_gradient(*problem(sizes, rows, activation=activation, loss=loss, normalization=normalization))


@pytest.mark.parametrize("name", [record.name for record in activations.records() if record.defaults])
def test_gradients_with_another_parameter(name):
    """All of them are at home between 0 and 3."""
    changed = {"name": name, **dict.fromkeys(activations[name].defaults, 1.7)}
    assert_gradient(*problem([5, 17, 33, 7, 3], 9, activation=changed, output_activation=changed, loss="mse"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("loss", "output", "normalization"), ENDS)
def test_gradients_at_the_output(loss, output, normalization, shape):
    sizes, rows = SHAPES[shape]
    options = {"activation": "tanh", "loss": loss, "output_activation": output, "normalization": normalization}
    assert_gradient(*problem(sizes, rows, **options))


@pytest.mark.parametrize("rows", [1, 2, 9])
@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_gradients_without_hidden_layers(loss, output, rows):
    assert_gradient(*problem([5, 3], rows, loss=loss, output_activation=output))


@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_gradients_of_one_sample(loss, output):
    assert_gradient(*problem([5, 7, 3, 2], 1, activation="tanh", loss=loss, output_activation=output))


@pytest.mark.parametrize("normalization", list(normalizations))
@pytest.mark.parametrize("first", range(0, len(activations), 6))
def test_gradients_with_an_activation_for_each_layer(first, normalization):
    """Six at a time: deeper networks are too steep for differences."""
    names = list(activations)[first : first + 6]
    sizes = [5, *[7, 3, 17, 5, 9, 6][: len(names)], 4]
    assert_gradient(*problem(sizes, 9, activation=names, normalization=normalization))


# Every activation with one loss, every loss and output with one activation.
SMALL = [*((name, "mse", "identity") for name in activations), *(("gelu", *head) for head in HEADS)]


@pytest.mark.parametrize(
    ("activation", "loss", "output", "normalization"),
    [(*case, name) for case in SMALL for name in dict.fromkeys(("none", next(TURNS)))],
)
def test_float32_gradients_against_float64(activation, loss, output, normalization):
    options = {"activation": activation, "loss": loss, "output_activation": output, "normalization": normalization}
    net, params, x, y = problem([5, 17, 33, 3], 65, **options)
    small = mj.Network(net.sizes, dtype="float32", **options)
    given = params.astype(np.float32)
    value, exact = net.loss_and_grad(given.astype(np.float64), x.astype(np.float32), y.astype(np.float32))
    found, gradient = small.loss_and_grad(given, x, y)
    assert gradient.dtype == np.float32
    assert found == pytest.approx(value, rel=1e-5)
    assert np.linalg.norm(gradient - exact) <= 1e-4 * np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 7, 15, 16, 17, 31, 33, 64, 65])
def test_the_mean_over_two_copies_of_a_sample_is_the_sample(width, dtype):
    """Bit for bit, since halves and doubles are exact: rows and lanes beyond the edge add nothing."""
    net, params, x, y = problem([5, width, 3], 1, dtype, activation="sigmoid", loss="mse")
    twice = net.loss_and_grad(params, np.tile(x, (2, 1)), np.tile(y, (2, 1)))[1]
    np.testing.assert_array_equal(net.loss_and_grad(params, x, y)[1], twice)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", list(normalizations))
@pytest.mark.parametrize(("loss", "output"), [("cross_entropy", "identity"), ("mse", "softmax"), ("mse", "tanh")])
def test_nothing_is_read_that_was_not_written(loss, output, normalization, dtype):
    """Gradients have the same bits when the whole workspace but the samples holds NaN beforehand."""
    options = {"activation": "gelu", "loss": loss, "output_activation": output, "normalization": normalization}
    net, params, x, y = problem([5, 17, 33, 64, 3], 7, dtype, **options)
    work = Passes(net, params, x)
    row = work.space.layers[0]
    at, stride = int(row[LAYER.input_at]), int(row[LAYER.input_stride])
    work.workspace[:] = np.nan
    work.workspace[at : at + len(x) * stride].reshape(len(x), stride)[:, :5] = x
    work.forward()
    value = work.loss(y.astype(dtype))
    expected, gradient = net.loss_and_grad(params, x, y)
    assert value == expected
    np.testing.assert_array_equal(work.backward(), gradient)
