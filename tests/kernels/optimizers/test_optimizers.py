"""Ten steps of every optimizer against a NumPy oracle; dtypes, NaN, and the single-step interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from oracles.optimizers import OPTIMIZERS, SETTINGS

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers
from mlpjit.errors import ConfigError
from mlpjit.interactive.optimizer import Optimizer
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Int, Reals, kernel, load, real, store
from mlpjit.kernels.optimizers.adagrads import root_parts

# Those that look at whole tensors are in test_layerwise.py, those with phases in test_stages.py.
NAMES = [name for name in mj.optimizers if optimizers[name].kind == "elementwise"]
CASES = [(name, settings) for name in NAMES for settings in SETTINGS.get(name, [{}])]
LENGTHS = [1, 7, 16, 65]
RATE = 0.037
# Where an infinite gradient may leave finite parameters, and why; NaN may nowhere.
BOUNDED = {
    "sign_sgd": "sign(inf) = 1", "signum": "sign(inf) = 1", "lion": "sign(inf) = 1", "rprop": "sign(inf) = 1",
    "adopt": "g / sqrt(inf) = 0 ever after",
}  # fmt: skip


@kernel
def cube_roots(count: Int, x: Reals, y: Reals, r: Reals) -> None:
    """r x^(1/3) and r, what MADGRAD divides by and multiplies with."""
    for i in range(count):
        factor, minus_product = root_parts(load(x, i), real(0.0))
        store(y, i, -minus_product)
        store(r, i, factor)


def gradients(length: int, steps: int = 10) -> list[np.ndarray]:
    """Gradients whose scale changes from step to step and entry to entry, some entries zero."""
    rng = np.random.default_rng(length)
    scale = 10.0 ** rng.uniform(-6, 3, (steps, length))
    drawn = rng.normal(size=(steps, length)) * scale
    # A zero in the first gradient would meet eps = 0 as 0 / 0, in the paper's formula too.
    drawn[1:][rng.random((steps - 1, length)) < 0.2] = 0.0
    return list(drawn)


def walk(optimizer: Optimizer, theta: np.ndarray, given: list[np.ndarray]) -> list[np.ndarray]:
    state, path = optimizer.init(theta), []
    for g in given:
        theta, state = optimizer.update(theta, g, state, learning_rate=RATE)
        path.append(theta)
    return path


def test_a_public_name_is_never_a_module():
    """Importing a submodule sets it on the package, in place of a lazy name that is called the same."""
    modules = {path.stem for path in Path(mj.__file__).parent.iterdir()}
    assert not modules & set(mj.__all__)


def test_every_optimizer_has_an_oracle():
    assert set(NAMES) == set(OPTIMIZERS) == set(SETTINGS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_ten_steps_against_the_oracle(name, settings, length):
    optimizer = mj.optimizers[name](**settings)
    theta, given = np.random.default_rng(9).normal(size=length), gradients(length)
    expected = list(OPTIMIZERS[name](theta, given, RATE, **optimizer.hyperparameters))
    for step, (found, wanted) in enumerate(zip(walk(optimizer, theta, given), expected, strict=True)):
        moved = np.abs(wanted - theta).max()
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * moved, err_msg=f"step {step}")


@pytest.mark.parametrize("name", NAMES)
def test_zero_gradients_from_the_start_do_not_move(name):
    """Eps_root = 1e-16 keeps 0 / 0 away: a dead unit's weights stay finite."""
    theta, optimizer = np.arange(5.0), mj.optimizers[name]
    still = optimizer(weight_decay=0.0) if optimizer.record.decays else optimizer
    np.testing.assert_array_equal(walk(still, theta, [np.zeros(5)] * 3)[-1], theta)


@pytest.mark.parametrize("name", NAMES)
def test_float32_keeps_its_dtype_and_its_digits(name):
    optimizer = mj.optimizers[name]
    theta, given = np.random.default_rng(2).normal(size=33), gradients(33)
    small = walk(optimizer, theta.astype(np.float32), [g.astype(np.float32) for g in given])
    exact = walk(optimizer, theta, given)
    state = optimizer.init(theta.astype(np.float32))
    assert all(a.dtype == np.float32 for a in (*small, *state.values.values()))
    moved = max(float(np.abs(a - theta).max()) for a in exact)
    np.testing.assert_allclose(small[-1], exact[-1], rtol=2e-6, atol=2e-6 * moved)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_not_a_number_does_not_vanish(name, bad, dtype):
    theta, g = np.ones(19, dtype), np.full(19, 0.5, dtype)
    g[[3, 17]] = bad
    found = walk(mj.optimizers[name], theta, [g, np.full(19, 0.5, dtype)])[-1]
    assert np.isfinite(found[[3, 17]]).tolist() == [bad == np.inf and name in BOUNDED] * 2
    assert np.isfinite(np.delete(found, [3, 17])).all()


@pytest.mark.parametrize("name", NAMES)
def test_update_leaves_its_arguments_as_they_are(name):
    optimizer, theta, g = mj.optimizers[name], np.ones(5), np.full(5, 0.5)
    state = optimizer.init(theta)
    before = {key: values.copy() for key, values in state.values.items()}
    optimizer.update(theta, g, state, learning_rate=0.1)
    np.testing.assert_array_equal(np.concatenate([theta, g]), [1.0] * 5 + [0.5] * 5)
    assert state.step == 0
    for key, values in state.values.items():
        np.testing.assert_array_equal(values, before[key])


@pytest.mark.parametrize("name", NAMES)
def test_the_state_begins_as_the_record_says(name):
    optimizer, theta = mj.optimizers[name], np.arange(1.0, 6.0)
    found = optimizer.init(theta).values
    assert list(found) == list(optimizer.record.state)
    for key, values in found.items():
        start = optimizer.record.initial.get(key, 0.0)
        np.testing.assert_array_equal(
            values, theta if start == "params" else optimizer.hyperparameters.get(start, start)
        )


@pytest.mark.parametrize("name", NAMES)
def test_no_parameters_are_no_trouble(name):
    found = walk(mj.optimizers[name], np.empty(0), [np.empty(0)] * 2)
    assert found[-1].shape == (0,)


def test_decay_is_of_weight_matrices_alone():
    """In a run: biases move as under Adam, weights shrink besides."""
    given = {"dataset": "diabetes", "hidden": [5], "epochs": 1, "batch_size": "full", "dtype": "float64"}
    epsilons = {"eps": 1e-8, "eps_root": 0.0}
    plain = mj.train(mj.RunConfig(**given, optimizer={"name": "adam", **epsilons})).params
    made = mj.RunConfig(**given, optimizer={"name": "adamw", "weight_decay": 3.0})
    net = mj.Network([10, 5, 1], "relu", loss="mse", dtype="float64")
    before = net.layers(net.init(dict(made.init), seed=made.seed))
    for start, shrunk, straight in zip(before, net.layers(mj.train(made).params), net.layers(plain), strict=True):
        np.testing.assert_array_equal(shrunk["b"], straight["b"])
        decay = made.learning_rate * 3.0
        np.testing.assert_allclose(shrunk["W"], straight["W"] - decay * start["W"], rtol=1e-13, atol=1e-16)


def roots(given, dtype):
    """Return (r x^(1/3), r) as the kernel has them."""
    load_roots = jit.load(cube_roots, dtype, key=function_hash(cube_roots.function))
    product, factor = np.empty_like(given), np.empty_like(given)
    load_roots.call(len(given), given.ctypes.data, product.ctypes.data, factor.ctypes.data)
    return product, factor


@pytest.mark.parametrize(("dtype", "low", "high"), [("float32", -126, 128), ("float64", -1022, 1024)])
def test_the_cube_root_is_within_an_ulp(dtype, low, high):
    drawn = np.exp2(np.random.default_rng(4).uniform(low, high, 200000)).astype(dtype)
    ends = np.array([1.0, 8.0, 27.0, np.finfo(dtype).tiny, np.finfo(dtype).max], dtype)
    given = np.concatenate([drawn, ends])
    product, factor = roots(given, dtype)
    exact = np.cbrt(given.astype(np.longdouble)) * factor
    assert np.abs((product - exact) / np.spacing(exact.astype(dtype))).max() <= 1.0
    # What has no digits left, or none at all, has a root that no epsilon of use is as small as.
    tiny = np.array([0.0, 0.5 * np.finfo(dtype).tiny], dtype)
    product, factor = roots(tiny, dtype)
    assert (np.abs(product / factor) < 3e-13).all()
    product, factor = roots(np.array([np.inf, np.nan], dtype), dtype)
    assert factor[0] / product[0] == 0.0
    assert np.isnan(product[1])


@pytest.mark.parametrize(("dtype", "huge"), [("float32", 1e25), ("float64", 1e200)])
def test_madgrad_of_a_gradient_whose_square_overflows_is_the_formula(dtype, huge):
    """s / inf^(1/3) = 0: z is where it began."""
    start = np.array([0.5, -2.0], dtype)
    opt = mj.optimizers["madgrad"](momentum=0.0)
    with np.errstate(over="ignore"):
        moved, state = opt.update(start, np.array([huge, 1.0], dtype), opt.init(start), learning_rate=0.1)
    assert np.isinf(state.values["sum_squares"][0])
    assert moved[0] == start[0]
    assert moved[1] == pytest.approx(-2.0 - 0.1 / (np.cbrt(0.1) + 1e-6), rel=1e-6)


def test_adam_with_a_constant_gradient_steps_by_the_rate():
    """Kingma & Ba 2015, section 2.1: with eps near 0 every step has size eta exactly."""
    path = walk(mj.optimizers["adam"](eps=1e-30, eps_root=0.0), np.zeros(1), [np.full(1, 3e-7)] * 10)
    np.testing.assert_allclose(np.ravel(path), -RATE * np.arange(1, 11), rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o["adm"], "unknown optimizer 'adm': did you mean 'adam'"),
        (lambda o: o["momentum"](momentun=0.9), "unknown key 'momentun' of 'momentum': did you mean 'momentum'"),
        (lambda o: o["adam"](b1=1.0), "b1: got 1.0, need 0 or more and below 1"),
        (lambda o: o["sgd"].init(np.zeros((2, 2))), "got 2-D float64"),
        (lambda o: o["sgd"].init(np.zeros(2, int)), "int64, need a 1-D array"),
        (lambda o: o["sgd"].update(np.zeros(2), np.zeros(3), o["sgd"].init(np.zeros(2)), learning_rate=1), "shape"),
    ],
)
def test_errors_say_what_was_got(call, message):
    with pytest.raises(ConfigError, match=message):
        call(mj.optimizers)
