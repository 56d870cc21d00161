"""Hessian-vector products against differences of gradients, closed forms and the dense Hessian."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, product

import numpy as np
import pytest

from mlpjit.catalogue.registries import activations, losses, normalizations
from mlpjit.errors import ConfigError
from mlpjit.interactive.network import Network
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Float64s, Int, Ints, Reals, kernel
from mlpjit.kernels.network.curvature import hessian_vector_product
from mlpjit.kernels.network.pairs import plan_curvature
from mlpjit.training import linking
from mlpjit.training.shape import VECTOR, padded
from mlpjit.training.workspace import aligned, plan_workspace

INPUTS, OUTPUTS, ROWS = 6, 5, 11
HIDDEN = {"none": (), "one": (7,), "several": (5, 19, 3)}


@dataclass(frozen=True)
class Case:
    """A network, a point, two directions and data, drawn from a seed that the case's own name gives."""

    activation: str = "tanh"
    loss: str = "mse"
    normalization: str = "none"
    hidden: tuple[int, ...] = (7,)
    output: str = "identity"
    dtype: str = "float64"
    draw: int = 0

    @cached_property
    def net(self) -> Network:
        return Network(
            [INPUTS, *self.hidden, OUTPUTS], self.activation, loss=self.loss, output_activation=self.output,
            normalization=self.normalization, dtype=self.dtype,
        )  # fmt: skip

    @cached_property
    def draws(self) -> tuple[np.ndarray, ...]:
        """Parameters, two directions, inputs, soft targets whose rows do not sum to 1."""
        name = repr(replace(self, dtype="float64"))
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        count = self.net.parameter_count
        point, v, w = generator.normal(size=(3, count))
        inputs, targets = generator.normal(size=(ROWS, INPUTS)), generator.uniform(size=(ROWS, OUTPUTS))
        return 0.5 * point, v, w, inputs, targets

    def gradient(self, params: np.ndarray) -> np.ndarray:
        return self.net.loss_and_grad(params, *self.draws[3:])[1]

    def hessian_times(self, vector: np.ndarray) -> np.ndarray:
        return self.net.hessian_vector_product(self.draws[0], vector, *self.draws[3:])


def grid() -> list[Case]:
    """Every activation x loss, x normalization, every output activation, every depth."""
    depths, turns = cycle((HIDDEN["one"], HIDDEN["several"])), cycle(normalizations)
    outputs = [*((loss, "identity") for loss in losses), *(("mse", name) for name in (*activations, "softmax"))]
    return [
        *(Case(*names, next(turns), hidden=next(depths)) for names in product(activations, losses)),
        *(Case(name, "huber", kind, hidden=next(depths)) for name, kind in product(activations, normalizations)),
        *(
            Case("tanh", loss, normalization, hidden, output)
            for (loss, output), hidden in product(outputs, HIDDEN.values())
            for normalization in dict.fromkeys(("none", next(turns)) if hidden else ("none",))
        ),
    ]


def named(case: Case) -> str:
    sizes = "-".join(map(str, case.hidden)) or "linear"
    return f"{case.activation}-{case.loss}-{case.output}-{case.normalization}-{sizes}"


every_case = pytest.mark.parametrize("case", grid(), ids=named)


def central_difference(case: Case, vector: np.ndarray, h: float) -> np.ndarray:
    """(g(theta + h v) - g(theta - h v)) / 2h, with the h^2 term removed by a second step (Richardson)."""
    params = case.draws[0]

    def at(step: float) -> np.ndarray:
        return (case.gradient(params + step * vector) - case.gradient(params - step * vector)) / (2 * step)

    return (4 * at(h) - at(2 * h)) / 3


def relative(got: np.ndarray, wanted: np.ndarray) -> float:
    """The error over the size of what is wanted, or over 1 where that is 0: straight losses bend nothing."""
    return float(np.linalg.norm(got - wanted) / (np.linalg.norm(wanted) or 1.0))


@every_case
def test_equals_the_difference_of_gradients(case: Case) -> None:
    # Where something passes a kink within h v the difference says nothing; at one of two points nothing does.
    errors = []
    for each in (case, replace(case, draw=1)):
        vector = each.draws[1]
        errors.append(relative(each.hessian_times(vector), central_difference(each, vector, 5e-6)))
    assert min(errors) < 1e-6


@every_case
def test_is_symmetric_and_linear(case: Case) -> None:
    _, v, w, *_ = case.draws
    hv, hw = case.hessian_times(v), case.hessian_times(w)
    assert abs(v @ hw - w @ hv) <= 1e-10 * np.linalg.norm(v) * np.linalg.norm(hw)
    assert relative(case.hessian_times(2.0 * v - 0.3 * w), 2.0 * hv - 0.3 * hw) < 1e-12


@every_case
def test_float32_is_near_float64(case: Case) -> None:
    single, vector = replace(case, dtype="float32"), case.draws[1]
    got = single.hessian_times(vector)
    assert got.dtype == np.float32
    assert relative(got, case.hessian_times(vector)) < 1e-3


# Widths on both sides of a vector and of the widest W that is read in place; whole and odd batches.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("sizes", "rows"), [((1, 1, 1), 2), ((17, 128, 16, 10), 64), ((64, 64, 65, 8), 33), ((3, 2), 1)]
)
def test_all_sizes(sizes: tuple[int, ...], rows: int, dtype: str) -> None:
    generator = np.random.default_rng(7)
    net = Network(sizes, "gelu", dtype="float64")
    params, vector = net.init("xavier_normal"), generator.normal(size=net.parameter_count)
    x, y = generator.normal(size=(rows, sizes[0])), generator.uniform(size=(rows, sizes[-1]))
    h = 1e-4 / np.linalg.norm(vector)
    ahead, behind = (net.loss_and_grad(params + step * vector, x, y)[1] for step in (h, -h))
    got = Network(sizes, "gelu", dtype=dtype).hessian_vector_product(params, vector, x, y)
    wanted = (ahead - behind) / (2 * h)
    assert np.linalg.norm(got - wanted) < (1e-4 if dtype == "float32" else 1e-6) * np.linalg.norm(wanted) + 1e-12


def with_ones(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))])


def linear_case(loss: str) -> tuple[Case, np.ndarray, np.ndarray]:
    """Return a network without hidden layers, X = [x 1], and U = X V with V = [W; b] of the first direction."""
    case = Case(loss=loss, hidden=())
    x = with_ones(case.draws[3])
    return case, x, x @ case.draws[1].reshape(INPUTS + 1, OUTPUTS)


def test_linear_regression_in_closed_form() -> None:
    """L = |X theta - Y|^2 / n, so H V = 2 X^T X V / n, wherever theta is."""
    case, x, moved = linear_case("mse")
    np.testing.assert_allclose(case.hessian_times(case.draws[1]), (2 / ROWS * x.T @ moved).ravel(), rtol=1e-13)


def test_softmax_regression_in_closed_form() -> None:
    """H V = X^T (w p (U - sum p U)) / n with p = softmax(X theta) and w the sum of the row's targets."""
    case, x, moved = linear_case("cross_entropy")
    params, targets = case.draws[0], case.draws[4]
    p = np.exp(x @ params.reshape(INPUTS + 1, OUTPUTS))
    p /= p.sum(1, keepdims=True)
    delta = targets.sum(1, keepdims=True) * p * (moved - (p * moved).sum(1, keepdims=True)) / ROWS
    np.testing.assert_allclose(case.hessian_times(case.draws[1]), (x.T @ delta).ravel(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("normalization", list(normalizations))
def test_power_iteration_finds_the_largest_eigenvalue(normalization: str) -> None:
    case = Case(normalization=normalization, hidden=(4,), loss="cross_entropy")
    size = case.net.parameter_count
    dense = np.array([case.hessian_times(column) for column in np.eye(size)])
    np.testing.assert_allclose(dense, dense.T, atol=1e-12 * np.abs(dense).max())
    eigenvalues = np.linalg.eigvalsh(dense)
    largest = eigenvalues[np.argmax(np.abs(eigenvalues))]
    vector = np.ones(size)
    for _ in range(300):
        moved = case.hessian_times(vector)
        vector = moved / np.linalg.norm(moved)
    assert vector @ case.hessian_times(vector) == pytest.approx(largest, rel=1e-8)


@kernel
def product_twice(
    rows: Int, layer_count: Int, layers: Ints, loss: Int, loss_tangent: Int, params: Reals, vector: Reals, x: Reals,
    targets: Reals, settings: Float64s, between: Reals, result: Reals, workspace: Reals,
) -> None:  # fmt: skip
    """result = H (H vector), as an optimizer's kernel would ask for it."""
    hessian_vector_product(
        rows, layer_count, layers, loss, loss_tangent, params, vector, x, targets, settings, between, workspace
    )
    hessian_vector_product(
        rows, layer_count, layers, loss, loss_tangent, params, between, x, targets, settings, result, workspace
    )


def padded_copy(values: np.ndarray, dtype: str) -> np.ndarray:
    made = aligned(values.size, dtype)
    made[:] = values
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("normalization", list(normalizations))
def test_another_kernel_can_call_it(normalization: str, dtype: str) -> None:
    """With a workspace planned for more rows and full of NaN: nothing that was not written is read."""
    case = Case(normalization=normalization, hidden=(19, 5), dtype=dtype)
    net, (params, vector, _, x, targets) = case.net, case.draws
    names = [*net.activations[:-1], "identity"]
    derivatives = [linking.activation(name, dtype, "evaluation").address for name in names]
    layers = plan_workspace(net.layout, [0] * len(names), ROWS, dtype).layers
    pairs = [linking.normalization(layer.normalization, dtype, pairs=True) for layer in net.layout]
    tables, size = plan_curvature(layers, derivatives, pairs, ROWS + 5, VECTOR[dtype])
    inputs = np.full((ROWS, padded(INPUTS, dtype)), np.nan, dtype)
    inputs[:, :INPUTS] = x
    workspace, between, result = padded_copy(np.full(size, np.nan), dtype), *np.empty((2, params.size + 16), dtype)
    record = jit.load(product_twice, dtype, key=function_hash(product_twice.function))
    loss, tangent = linking.loss("mse", dtype), linking.loss_tangent("mse", dtype)
    arrays = padded_copy(params, dtype), padded_copy(vector, dtype), inputs, targets.astype(dtype), np.zeros(1)
    addresses = [array.ctypes.data for array in (*arrays, between, result)]
    record.call(ROWS, len(names), tables.ctypes.data, loss.address, tangent.address, *addresses, workspace.ctypes.data)
    np.testing.assert_array_equal(between[: params.size], case.hessian_times(vector))
    np.testing.assert_array_equal(result[: params.size], case.hessian_times(between[: params.size]))


def test_a_vector_of_another_length_is_refused() -> None:
    case = Case()
    with pytest.raises(ConfigError, match=r"vector: got shape \(3,\), need \(89,\)"):
        case.hessian_times(np.ones(3))
