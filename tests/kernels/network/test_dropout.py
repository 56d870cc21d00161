"""Dropout: masks against an oracle of the generator, their statistics, what they multiply, and a run's own."""

from __future__ import annotations

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.kernels.network.dropout import ALL, threshold
from mlpjit.training.run import Run, execute

SIZES = [5, 17, 33, 3]
MOONS = {"dataset": {"name": "two_moons", "samples": 90}, "hidden": [9, 9], "dtype": "float64", "seed": 3}


def philox(seed: int, counter: tuple[int, int, int, int]) -> list[int]:
    """Salmon et al. 2011, figure 2: four 32-bit words, in Python's whole numbers."""
    low, x, key = 0xFFFFFFFF, list(counter), [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(second >> 32) ^ x[1] ^ key[0], second & low, (first >> 32) ^ x[3] ^ key[1], first & low]
        key = [(key[0] + 0x9E3779B9) & low, (key[1] + 0xBB67AE85) & low]
    return x


def oracle(seed: int, step: int, layer: int, rows: int, columns: int, rate: float) -> np.ndarray:
    """The mask number by number: word j // q of block i q + j % q, q = ceil(columns / 4); 4 is dropout's stream."""
    mask, quarter = np.zeros((rows, columns)), -(-columns // 4)
    for i in range(rows):
        for j in range(columns):
            word = philox(seed, (i * quarter + j % quarter, layer, step, 4))[j // quarter]
            mask[i, j] = 0.0 if word < rate * ALL else 1.0 / (1.0 - rate)
    return mask


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("seed", "step"), [(0, 1), (2**63 - 1, 12345)])
def test_masks_against_the_oracle(seed, step, dtype):
    net = mj.Network([5, 1, 7, 17, 64, 3], dropout=0.25, dtype=dtype)
    for layer, mask in enumerate(net.masks(9, seed, step)):
        np.testing.assert_allclose(mask, oracle(seed, step, layer, *mask.shape, 0.25), rtol=1e-7)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_asked_for(rate):
    """Over all units, each unit and each sample: binomial, 5 standard deviations."""
    (mask,) = mj.Network([2, 400, 2], dropout=rate, dtype="float64").masks(500, 1, 2)
    kept = mask != 0
    np.testing.assert_allclose(mask[kept], 1 / (1 - rate), rtol=1e-9)
    for part, count in ((kept.mean(), kept.size), (kept.mean(0), 500), (kept.mean(1), 400)):
        assert np.abs(part - (1 - rate)).max() <= 5 * np.sqrt(rate * (1 - rate) / count)
    # Neighbours, and the same place one step or layer later, have nothing to do with each other.
    later = mj.Network([2, 400, 2], dropout=rate).masks(500, 1, 3)[0] != 0
    other = mj.Network([2, 400, 400, 2], dropout=rate).masks(500, 1, 2)[1] != 0
    for left, right in ((kept[:, 1:], kept[:, :-1]), (kept[1:], kept[:-1]), (kept, later), (kept, other)):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) <= 5 / np.sqrt(left.size)


def test_any_mask_can_be_had_without_the_ones_before():
    net = mj.Network(SIZES, dropout=0.5)
    few, many = net.masks(3, 7, 1000), net.masks(64, 7, 1000)
    for left, right in zip(few, many, strict=True):
        np.testing.assert_array_equal(left, right[:3])
    assert len({mask.tobytes() for seed in (7, 8) for step in (1, 2) for mask in net.masks(9, seed, step)}) == 8


@pytest.mark.parametrize("rate", [0.0, 1e-12, 0.5, 1.0 - 2.0**-53])
def test_thresholds(rate):
    assert 0 <= threshold(rate) < ALL
    assert threshold(rate) == pytest.approx(rate * ALL, abs=1.0)


def test_without_a_share_nothing_is_dropped():
    net, dropping = mj.Network(SIZES), mj.Network(SIZES, dropout=0.0)
    x, y, params = np.ones((4, 5)), np.eye(3)[[0, 1, 2, 0]], net.init(seed=2)
    plain, none = net.loss_and_grad(params, x, y), dropping.loss_and_grad(params, x, y, seed=3)
    assert plain[0] == none[0]
    np.testing.assert_array_equal(plain[1], none[1])


@pytest.mark.parametrize("options", [
    {}, {"normalization": "batch"}, {"normalization": "layer", "residual": "pre"}, {"residual": "post"},
    {"activation": "prelu"},
], ids=str)  # fmt: skip
def test_gradients_and_products_of_a_dropped_network(options):
    """Against differences of the loss and of the gradient, with the same mask."""
    rng = np.random.default_rng(1)
    net = mj.Network([5, 17, 17, 3], **{"activation": "tanh", **options}, dropout=0.4, dtype="float64", loss="mse")
    params = net.init("xavier_normal", 1) + 0.1 * rng.normal(size=net.parameter_count)
    x, y, v = rng.normal(size=(9, 5)), rng.normal(size=(9, 3)), rng.normal(size=net.parameter_count)
    given, h = {"seed": 3, "step": 5}, 1e-6
    ahead, behind = (net.loss_and_grad(params + step * v, x, y, **given) for step in (h, -h))
    _, gradient = net.loss_and_grad(params, x, y, **given)
    assert gradient @ v == pytest.approx((ahead[0] - behind[0]) / (2 * h), rel=1e-6)
    product = net.hessian_vector_product(params, v, x, y, **given)
    np.testing.assert_allclose(product, (ahead[1] - behind[1]) / (2 * h), rtol=1e-5, atol=1e-6)


def first_step(run: Run, net: mj.Network, params: np.ndarray, seed: int = 3) -> tuple[float, np.ndarray]:
    return net.loss_and_grad(params, run.data.x_train, run.data.y_train, seed=seed, step=1)


def test_a_run_drops_in_training_and_not_in_evaluation():
    """The loss of an epoch is that of the dropped network; gradient and loss have the mask of the seed's first step."""
    run = Run(
        RunConfig(**MOONS, dropout=0.3, batch_size="full", shuffle=False, epochs=1, optimizer="sgd", learning_rate=0.1)
    )
    net, plain = (mj.Network([2, 9, 9, 2], dropout=p, dtype="float64") for p in (0.3, 0.0))
    params = run.params.copy()
    run.advance()
    history, (loss, gradient) = run.result().history, first_step(run, net, params)
    assert history["train_loss"][1] == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(run.params, params - 0.1 * gradient, rtol=1e-12, atol=1e-15)
    expected, _ = plain.loss_and_grad(params, run.data.x_validation, run.data.y_validation)
    assert history["validation_loss"][0] == pytest.approx(expected, rel=1e-13)


def test_the_second_gradient_of_a_step_sees_the_same_mask():
    """Sharpness-aware minimization: g at theta, then at theta + rho g / |g|."""
    settings = {"dropout": 0.3, "batch_size": "full", "shuffle": False, "epochs": 1, "learning_rate": 0.1}
    run = Run(RunConfig(**MOONS, **settings, optimizer="sgd", wrapper={"name": "sam", "rho": 0.2}))
    net = mj.Network([2, 9, 9, 2], dropout=0.3, dtype="float64")
    params = run.params.copy()
    _, first = first_step(run, net, params)
    _, second = first_step(run, net, params + 0.2 * first / np.linalg.norm(first))
    run.advance()
    np.testing.assert_allclose(run.params, params - 0.1 * second, rtol=1e-9, atol=1e-12)


def test_the_seed_of_the_order_draws_the_masks():
    same, other = (execute(RunConfig(**MOONS, dropout=0.3, shuffle=False, epochs=1, order_seed=s)) for s in (3, 4))
    again = execute(RunConfig(**MOONS, dropout=0.3, shuffle=False, epochs=1))
    np.testing.assert_array_equal(same.params, again.params)
    assert (same.params != other.params).any()
    ids = [RunConfig(**MOONS, shuffle=False, dropout=p, order_seed=s).run_id for p in (0.0, 0.3) for s in (3, 4)]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_shares_that_are_none(rate):
    with pytest.raises(ConfigError, match=r"dropout: got .*, need a number from 0 up and below 1"):
        RunConfig(dropout=rate)
    with pytest.raises(ConfigError, match=r"dropout: got .*, need a number from 0 up and below 1"):
        mj.Network(SIZES, dropout=rate)
