"""Rules of a user's own that ask for a second gradient, a loss or a Hessian-vector product, and wrappers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending import elementwise, files, fma, joint, load, store
from mlpjit.interactive.checks import problems

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DIAGONAL = np.array([0.5, 1.0, 2.0, 4.0])
PARAMS = np.array([1.0, -2.0, 3.0, 0.5])
pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")


def loaded(name: str) -> Any:
    file = files.load(EXAMPLES / f"{name}.py")
    assert problems(file.entries, ["float32", "float64"]) == []
    return file


def value(params: np.ndarray) -> tuple[float, np.ndarray]:
    """A parabola whose Hessian is diagonal."""
    return float(0.5 * (DIAGONAL * params * params).sum()), DIAGONAL * params


def stepped(name: str, steps: int, rate: float, **hyperparameters: float) -> np.ndarray:
    """Return the parameters after some steps on the parabola."""
    optimizer, params = mj.optimizers[name](**hyperparameters), PARAMS
    state = optimizer.init(params)
    for _ in range(steps):
        loss, grads = value(params)
        params, state = optimizer.update(
            params, grads, state, learning_rate=rate, loss=loss, gradient=value,
            curvature=lambda _, vector: DIAGONAL * vector,
        )  # fmt: skip
    return params


def test_a_second_gradient_is_taken_after_a_plain_step() -> None:
    loaded("extragradient")
    theta = PARAMS
    for _ in range(3):
        theta = theta - 0.1 * DIAGONAL * (theta - 0.1 * DIAGONAL * theta)
    assert stepped("extragradient", 3, 0.1) == pytest.approx(theta, rel=1e-14)
    assert optimizers["extragradient"].extra_gradients == 1


def beyond(theta, g, mu, learning_rate, reach):
    return fma(reach, mu, theta)


def test_it_is_taken_where_a_function_says() -> None:
    """Nesterov's momentum as it was first written: the gradient at the point that the momentum leads to."""

    @elementwise(look=beyond, extra_gradients=1, state=("mu",), reach=0.9)
    def looks_ahead(g, there, mu, learning_rate, reach):
        mu = fma(reach, mu, -learning_rate * there)
        return -mu, mu

    assert problems([("optimizers", "looks_ahead")], ["float32"]) == []
    theta, mu = PARAMS, 0.0 * PARAMS
    for _ in range(4):
        mu = 0.9 * mu - 0.1 * DIAGONAL * (theta + 0.9 * mu)
        theta = theta + mu
    assert stepped("looks_ahead", 4, 0.1) == pytest.approx(theta, rel=1e-13)


def test_the_diagonal_of_a_diagonal_hessian_is_exact() -> None:
    loaded("diagonal_newton")
    theta, h = PARAMS, 0.0 * PARAMS
    for _ in range(3):
        h = 0.9 * h + (1.0 - 0.9) * DIAGONAL
        theta = theta - 0.1 * DIAGONAL * theta / (h + 0.1)
    assert stepped("diagonal_newton", 3, 0.1) == pytest.approx(theta, rel=1e-13)
    assert optimizers["diagonal_newton"].extra_gradients == 2


def downhill(theta, g, learning_rate):
    return g


def test_a_product_with_a_vector_of_ones_own() -> None:
    @elementwise(along=downhill)
    def curved(g, product, learning_rate):
        return learning_rate * (g - 0.5 * learning_rate * product)

    assert problems([("optimizers", "curved")], ["float32"]) == []
    slope = DIAGONAL * PARAMS
    assert stepped("curved", 1, 0.1) == pytest.approx(PARAMS - 0.1 * (slope - 0.05 * DIAGONAL * slope), rel=1e-14)


def test_a_loss_is_asked_for() -> None:
    """At 0.6 the step overshoots and the loss rises: a quarter of it is left."""
    loaded("greedy_step")
    assert stepped("greedy_step", 1, 0.1) == pytest.approx((1.0 - 0.1 * DIAGONAL) * PARAMS, rel=1e-14)
    assert stepped("greedy_step", 1, 3.0) == pytest.approx((1.0 - 0.75 * DIAGONAL) * PARAMS, rel=1e-13)


def aim(count, grads, vector):
    for i in range(count):
        store(vector, i, load(grads, i))


def test_a_joint_rule_asks_for_a_product() -> None:
    @joint(before=aim, asks="product")
    def best_line(count, params, grads, vector, product, learning_rate):
        above = below = 0.0 * learning_rate
        for i in range(count):
            above += load(grads, i) * load(grads, i)
            below += load(vector, i) * load(product, i)
        for i in range(count):
            store(params, i, load(params, i) - above / below * load(grads, i))

    slope = DIAGONAL * PARAMS
    length = (slope @ slope) / (slope @ (DIAGONAL * slope))
    assert stepped("best_line", 1, 0.1) == pytest.approx(PARAMS - length * slope, rel=1e-14)
    assert mj.train(RunConfig(optimizer="best_line", hidden=[8], epochs=1, batch_size="full")).status == "done"


def test_a_wrapper_is_that_of_the_catalogue_bit_for_bit() -> None:
    loaded("flat_minima")
    configs = [RunConfig(wrapper=name, optimizer="adam", hidden=[8], epochs=2, dtype="float64")
               for name in ("flat_minima", "sam")]  # fmt: skip
    mine, theirs = (mj.train(config) for config in configs)
    assert (mine.params == theirs.params).all()
    assert mine.counts == theirs.counts


def test_a_wrapper_behind_the_optimizer() -> None:
    @mj.wrapper(state=("slow",), initial={"slow": "params"}, behind=True, alpha=0.5)
    def pulled_back(count, params, slow, alpha):
        for i in range(count):
            store(slow, i, fma(alpha, load(params, i) - load(slow, i), load(slow, i)))
            store(params, i, load(slow, i))

    assert problems([("wrappers", "pulled_back")], ["float32", "float64"]) == []
    specs = ["pulled_back", {"name": "lookahead", "k": 1, "alpha": 0.5}]
    mine, theirs = (mj.train(RunConfig(wrapper=s, hidden=[8], epochs=2, dtype="float64")) for s in specs)
    assert (mine.params == theirs.params).all()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"extra_gradients": 2}, "got extra_gradients=2, an elementwise rule asks for one more"),
        ({"extra_gradients": 1, "curvature": True}, "a second gradient and for a product: need one of them"),
        ({"extra_gradients": 1, "decays": True}, "decays does not go together with what asks"),
        ({"extra_gradients": 1, "scalars": downhill}, "it needs `look`: where is the second gradient taken"),
    ],
)
def test_what_does_not_go_together_is_told(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        elementwise(beyond, **options)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"before": aim}, r"1 function\(s\) in `before` and 0 in `asks`, need one in front of each"),
        ({"before": aim, "asks": "hessian"}, "asks='hessian', need one of 'gradient', 'loss', 'product'"),
        ({"before": aim, "asks": "gradient"}, "aim takes 'vector'"),
    ],
)
def test_what_is_asked_wrongly_is_told(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        joint(beyond, **options)
