"""Many steps in one call are the steps of `Optimizer.update`, to the bit, on every kind of gradient."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import optimizers, wrappers
from mlpjit.extending import load, real, store
from mlpjit.interactive.objectives import Listed

COUNT, STEPS, LAYERS = 23, 4, [(3, 5), (5,), (3,)]
RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(COUNT, COUNT))
H, B, START = ROOT @ ROOT.T / COUNT + np.eye(COUNT), RNG.normal(size=COUNT), RNG.normal(size=COUNT)


def quadratic(theta):
    return float(0.5 * theta @ H @ theta - B @ theta), H @ theta - B


def one_by_one(opt, start, gradient, rates, layers=None, curvature=None):
    """The same steps with Python between them: parameters after each, the last state."""
    theta, state, path = start.copy(), opt.init(start, layers), [start.copy()]
    for step, rate in enumerate(rates):
        loss, g = gradient(theta, step)
        theta, state = opt.update(
            theta, g, state, learning_rate=float(rate), loss=loss, gradient=lambda p, s=step: gradient(p, s),
            curvature=curvature,
        )  # fmt: skip
        path.append(theta)
    return np.array(path), state


PLAIN = [name for name, record in optimizers._known().items() if not record.extra_gradients and not record.curvature]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PLAIN)
def test_listed_gradients_make_the_steps_of_every_rule(name, dtype):
    opt, start = mj.optimizers[name], START.astype(dtype)
    listed = np.random.default_rng(1).normal(size=(STEPS, COUNT)).astype(dtype)
    expected, state = one_by_one(opt, start, lambda _, step: (np.nan, listed[step]), np.full(STEPS, 0.01), LAYERS)
    found = mj.steps(opt, start, listed, learning_rate=0.01, layers=LAYERS, states=True)
    np.testing.assert_array_equal(found.params, expected)
    assert found.params.dtype == dtype
    assert list(found.states) == list(state.values)
    for kept, last in zip(found.states.values(), state.values.values(), strict=True):
        np.testing.assert_array_equal(kept[-1], last)
    assert np.isnan(found.losses).all()


# A line search in float32 decides by the last bit of a loss.
@pytest.mark.parametrize(("name", "dtype"), [("adam", "float32"), ("adahessian", "float64"), ("lbfgs", "float64")])
@pytest.mark.parametrize("wrapper", [None, *wrappers])
def test_what_asks_for_more_is_served(name, wrapper, dtype):
    """The gradient elsewhere, the loss, Hessian-vector products; of a diagonal, whose arithmetic NumPy does alike."""
    opt = mj.optimizers[name]
    opt = opt if wrapper is None else mj.wrappers[wrapper](opt)
    h, start = np.linspace(0.5, 3.0, COUNT).astype(dtype), START.astype(dtype)

    def gradient(theta, step):
        return float(0.5 * np.dot(theta.astype(float), (h * theta).astype(float))), h * theta

    expected, _ = one_by_one(opt, start, gradient, np.full(8, 0.1), curvature=lambda _, vector: h * vector)
    found = mj.steps(opt, start, mj.Quadratic(diagonal=h), learning_rate=0.1, steps=8)
    np.testing.assert_allclose(found.params, expected, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-6)
    np.testing.assert_allclose(found.losses, [gradient(theta, 0)[0] for theta in expected], rtol=1e-4)


def test_a_dense_quadratic_is_that_of_numpy():
    expected, _ = one_by_one(mj.optimizers["momentum"], START, lambda p, _: quadratic(p), np.full(30, 0.02))
    found = mj.steps(mj.optimizers["momentum"], START, mj.Quadratic(H, linear=B), learning_rate=0.02, steps=30)
    np.testing.assert_allclose(found.params, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.losses, [quadratic(theta)[0] for theta in expected], rtol=1e-10, atol=1e-12)


def test_a_networks_loss_is_that_of_its_passes():
    """To the bit, minimized with its own gradient, normalization and all."""
    net = mj.Network([3, 5, 4, 2], "gelu", loss="cross_entropy", normalization="batch")
    rng = np.random.default_rng(1)
    x, y, params = rng.normal(size=(9, 3)), np.eye(2)[rng.integers(2, size=9)], net.init(seed=1)
    opt = mj.wrappers["sam"](mj.optimizers["adam"])
    expected, _ = one_by_one(opt, params, lambda p, _: net.loss_and_grad(p, x, y), np.full(12, 0.05))
    found = mj.steps(opt, params, net.objective(x, y), learning_rate=0.05, steps=12)
    np.testing.assert_array_equal(found.params, expected)
    np.testing.assert_array_equal(found.losses, net.losses(expected, x, y))


NET, PLACES = mj.Network([3, 8, 2]), np.random.default_rng(0).normal(size=(99, 3))
LOSSES = [mj.Quadratic(np.eye(NET.parameter_count)), NET.objective(PLACES, np.eye(2)[np.arange(99) % 2])]


@pytest.mark.parametrize("loss", LOSSES)
def test_threads_may_go_down_the_same_loss(loss):
    def last(seed):
        return mj.steps(mj.optimizers["adam"], NET.init(seed=seed), loss, learning_rate=0.01, steps=3000).params[-1]

    expected = [last(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(last, range(4))), expected)


@mj.objective
def rosenbrock(params, grads):
    """Rosenbrock 1960: (1 - x)^2 + 100 (y - x^2)^2."""
    x, y = load(params, 0), load(params, 1)
    away = y - x * x
    store(grads, 0, 2.0 * (x - 1.0) - 400.0 * x * away)
    store(grads, 1, 200.0 * away)
    return (1.0 - x) * (1.0 - x) + 100.0 * away * away


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_function_of_ones_own(dtype):
    found = mj.steps(mj.optimizers["lbfgs"], np.array([-1.2, 1.0], dtype), rosenbrock, learning_rate=1.0, steps=60)
    assert found.losses[0] == pytest.approx(24.2, rel=1e-6)
    np.testing.assert_allclose(found.params[-1], [1.0, 1.0], rtol=1e-2 if dtype == "float32" else 1e-5)


@mj.objective
def drifting(problem, step, count, params, grads):
    """A slope that grows with the step, another for each problem."""
    for i in range(count):
        store(grads, i, load(params, i) * 0.0 + step * (problem + 1))
    return load(params, 0)


def test_an_objective_is_told_problem_and_step():
    found = mj.steps(mj.optimizers["sgd"], np.zeros((3, 2)), drifting, learning_rate=1.0, steps=4)
    np.testing.assert_array_equal(found.params[:, :, 1], -np.outer([1, 2, 3], [0, 1, 3, 6, 10]))


@mj.objective
def told(step, count, grads):
    """The step is the loss."""
    for i in range(count):
        store(grads, i, 0.0)
    return 1.0 * step


@pytest.mark.parametrize(("steps", "losses"), [(0, [1.0]), (2, [1.0, 2.0, 2.0])])
def test_steps_are_told_from_one_on(steps, losses):
    found = mj.steps(mj.optimizers["sgd"], np.ones(2), told, learning_rate=0.1, steps=steps)
    assert found.losses.tolist() == losses


def test_many_problems_are_each_as_alone():
    """Starts, curvatures and rates of their own; linear terms of each step."""
    rng = np.random.default_rng(2)
    starts, h = rng.normal(size=(5, 4)), rng.uniform(0.1, 2.0, (5, 4))
    rates, b = rng.uniform(0.01, 0.1, (5, 10)), rng.normal(size=(10, 4))
    opt = mj.wrappers["lookahead"](mj.optimizers["adam"])
    together = mj.steps(opt, starts, mj.Quadratic(diagonal=h, linear=b), learning_rate=rates, every=3, states=True)
    assert together.params.shape == (5, 4, 4)
    assert together.step.tolist() == [0, 3, 6, 9]
    for each in range(5):
        alone = mj.steps(opt, starts[each], mj.Quadratic(diagonal=h[each], linear=b), learning_rate=rates[each])
        np.testing.assert_array_equal(together.params[each], alone.params[::3])
        np.testing.assert_array_equal(together.losses[each], alone.losses[::3])
    assert sorted(together.states) == ["lookahead.slow", "mu", "nu"]
    assert together.states["mu"].shape == (5, 4, 4)


def test_what_is_of_length_one_stands_for_all():
    found = mj.steps(mj.optimizers["sgd"], np.zeros((3, 1)), np.ones(1), learning_rate=[[0.1], [0.2], [0.3]], steps=2)
    np.testing.assert_allclose(found.params[:, -1, 0], [-0.2, -0.4, -0.6])


def test_bounds_hold_behind_each_step():
    found = mj.steps(
        mj.optimizers["sgd"], np.zeros(2), np.array([1.0, -1.0]), learning_rate=0.4, steps=3, bounds=(-1, 0.5)
    )
    np.testing.assert_allclose(found.params, [[0, 0], [-0.4, 0.4], [-0.8, 0.5], [-1.0, 0.5]])


@pytest.mark.parametrize("name", ["averaged_sgd", "schedule_free_adamw"])
def test_the_point_to_report(name):
    opt, start, state, theta = mj.optimizers[name], np.ones(3), None, np.ones(3)
    found = mj.steps(opt, start, mj.Quadratic(diagonal=[1.0, 2.0, 3.0]), learning_rate=0.1, steps=5, point=True)
    state, path = opt.init(theta), [theta]
    for _ in range(5):
        theta, state = opt.update(theta, np.array([1.0, 2.0, 3.0]) * theta, state, learning_rate=0.1)
        path.append(opt.point(theta, state))
    np.testing.assert_array_equal(found.params, path)


def test_no_steps_leave_the_start():
    found = mj.steps(mj.optimizers["adam"], np.ones(2), np.ones(2), learning_rate=0.1, steps=0)
    np.testing.assert_array_equal(found.params, [[1.0, 1.0]])
    assert repr(found) == "Trajectories of shape (1, 2), to step 0"


def test_of_no_steps_nothing_beside_the_lists_is_read():
    """The loss at the start looks at a gradient that is not there: zeros stand for it."""
    none = np.zeros((0, 2))
    assert Listed(none).linked("float64", (1, 0, 2)).kept[0].shape == (2,)
    assert mj.Quadratic(np.eye(2), linear=none).linked("float64", (1, 0, 2)).kept[1].shape == (2,)
    assert mj.steps(mj.optimizers["sgd"], np.ones(2), none, learning_rate=0.1).params.tolist() == [[1.0, 1.0]]


def test_what_is_not_finite_goes_on_and_arguments_stay():
    start, listed = np.ones(2), np.array([[np.inf, np.nan], [1.0, 1.0]])
    found = mj.steps(mj.optimizers["sgd"], start, listed, learning_rate=0.1)
    assert not np.isfinite(found.params[1:]).any()
    np.testing.assert_array_equal(start, [1.0, 1.0])


TWO = np.zeros(2)


@mj.objective
def silent(params, grads):
    store(grads, 0, load(params, 0))


@mj.objective
def wrong(params, grads):
    return params.nothing


SMALL = mj.Network([3, 1], loss="mse").objective(np.ones((2, 3)), np.ones((2, 1)))


def taken(name="sgd", params=TWO, gradient=TWO, **options):
    return mj.steps(mj.optimizers[name], params, gradient, **{"learning_rate": 0.1, "steps": 1, **options})


MISFITS = [
    (lambda: taken(params=np.zeros(2, int)), "params: got int64, need float32 or float64"),
    (lambda: taken(params=np.zeros((1, 1, 2))), r"params: got float64 \(1, 1, 2\), need a 1-D or 2-D"),
    (lambda: taken(gradient=np.zeros(3)), r"gradient: got shape \(3,\), params have 2"),
    (lambda: taken(steps=None), "steps: say how many"),
    (lambda: taken(gradient=np.zeros((4, 2)), steps=5), r"shapes \(\), \(4,\), \(\), \(5,\) of problems"),
    (lambda: taken(steps=1.5), "steps: got 1.5, need a whole number"),
    (lambda: taken(every=0), "every: got 0"),
    (lambda: taken(bounds=(1, 0)), r"bounds: got \(1, 0\)"),
    (lambda: taken(layers=[(3,)]), "layers: got shapes of 3 numbers"),
    (lambda: taken(layers=[(-1,), (3,)]), r"layers: got \(-1,\), need shapes \(n,\) or \(rows, columns\)"),
    (lambda: taken(layers=[(2, 1, 7)]), r"layers: got \(2, 1, 7\), need shapes"),
    (lambda: taken(layers=[2]), "layers: got 2, need shapes"),
    (lambda: taken(learning_rate="a"), "learning_rate: got <U1"),
    (lambda: taken("kfac"), "kfac asks for inputs, deltas"),
    (lambda: taken("lbfgs"), "lbfgs asks for gradients elsewhere"),
    (lambda: taken("adahessian", gradient=rosenbrock), "Hessian-vector"),
    (lambda: mj.Quadratic(np.eye(2), diagonal=TWO), "give either matrix or diagonal"),
    (lambda: mj.Quadratic(np.zeros((2, 3))), r"matrix: got shape \(2, 3\), need \(n, n\)"),
    (lambda: taken(gradient=mj.Quadratic(np.eye(3))), r"matrix: got shape \(3, 3\), params have 2"),
    (lambda: mj.objective(np.sin), "objective: got <ufunc 'sin'>, need a function"),
    (lambda: mj.objective(lambda theta: theta), "takes 'theta'"),
    (lambda: taken(gradient=silent), "silent returns nothing, need one number"),
    (lambda: taken(gradient=wrong), "test_steps.py, line"),
    (lambda: taken(params=np.zeros(4), gradient=SMALL), "params: got float64, the network is of float32"),
    (lambda: mj.Network([3, 1]).objective(3, TWO), r"x: got shape \(\), need \(n, 3\)"),
    (lambda: taken(gradient=SMALL), "params: got 2, the network has 4"),
]  # fmt: skip


def test_an_objective_without_a_source_is_told():
    names = {}
    exec("def typed(params, grads):\n    return 0.0\n", names)
    with pytest.raises(mj.ConfigError, match="typed: its source cannot be read"):
        mj.objective(names["typed"])


LARGE, PART = np.ones(200_000), np.ones(8)[::2]


def large(count, params, grads):
    return real(LARGE[count])


def part(count, params, grads):
    return real(PART[count])


@pytest.mark.parametrize(
    ("function", "told"), [(large, "LARGE, an array of 1.6 MB"), (part, "PART, a part of another")]
)
def test_an_objective_that_reads_what_compiled_code_cannot_hold_is_told(function, told):
    with pytest.raises(mj.ConfigError, match=f"{function.__name__} reads {told}"):
        taken(gradient=mj.objective(function))


def test_a_state_is_of_as_many_parameters_as_there_are():
    opt = mj.optimizers["adamw"]
    with pytest.raises(mj.ConfigError, match="state: it is of 2 parameters, params has 3"):
        opt.update(np.zeros(3), np.zeros(3), opt.init(TWO), learning_rate=0.1)


@pytest.mark.parametrize(("call", "message"), MISFITS)
def test_errors_say_what_does_not_fit(call, message):
    with pytest.raises(mj.ConfigError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)
