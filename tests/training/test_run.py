"""One configuration to one result: pieces, definitions of docs/studies.md, divergence, stopping."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from mlpjit.catalogue.registries import losses, optimizers
from mlpjit.config.run_config import RunConfig
from mlpjit.interactive.network import Network
from mlpjit.kernels.arithmetic.random import permutation
from mlpjit.kernels.tables import ARRAY, CARRY, DIVERGENCE_FACTOR, LAYER, PLAN
from mlpjit.training import shape
from mlpjit.training.result import Control
from mlpjit.training.run import Run, execute, measure_step
from mlpjit.training.values import values_of

PACKAGE = Path(shape.__file__).parents[1]

SMALL = {"dataset": {"name": "two_moons", "samples": 90}, "hidden": [9, 7], "batch_size": 16, "epochs": 4, "seed": 3}


def config(**given) -> RunConfig:
    return RunConfig(**{**SMALL, **given})


def everything(run: Run) -> list[bytes]:
    result = run.result()
    arrays = [result.params, *run.states, run.moments, *result.history.values()]
    return [a.tobytes() for a in arrays] + [repr(sorted(result.metrics.items(), key=str)).encode()]


@pytest.mark.parametrize("normalization", ["none", "batch"])
@pytest.mark.parametrize("optimizer", list(optimizers))
def test_a_run_in_pieces_has_the_bits_of_the_whole(optimizer, normalization):
    settings = config(optimizer=optimizer, normalization=normalization, schedule="cosine", activation="gelu")
    whole, pieces = Run(settings), Run(settings)
    assert whole.advance() == "done"
    for to_step in (1, 2, 5, 6, 13):
        assert pieces.advance(to_step) == "running"
    assert pieces.advance() == "done"
    assert everything(pieces) == everything(whole)


@pytest.mark.parametrize("loss", [*losses, {"name": "cross_entropy", "label_smoothing": 0.1}], ids=str)
def test_every_loss_is_descended_and_separates_the_moons(loss):
    result = execute(config(loss=loss, optimizer="adam", learning_rate=0.02, activation="tanh", epochs=15))
    validation = result.history["validation_loss"]
    assert validation[-1] < validation[0]
    assert result.metrics["test_score"] > 0.8


def test_a_run_uses_the_parameter_of_its_activation():
    """A rectifier with slope 1 below 0 is the identity, bit for bit."""
    straight = execute(config(activation={"name": "leaky_relu", "slope": 1}))
    plain = execute(config(activation="identity"))
    np.testing.assert_array_equal(straight.params, plain.params)
    assert execute(config(activation="leaky_relu")).params.tobytes() != plain.params.tobytes()


@pytest.mark.parametrize("loss", [{"name": "huber", "delta": 0.5}, {"name": "cross_entropy", "label_smoothing": 0.2}])
def test_a_run_uses_the_parameters_of_its_loss(loss):
    """The loss before the first step is that of the network, with the same parameters, on the validation data."""
    run = Run(config(loss=loss, dtype="float64", epochs=1))
    params = run.params.copy()
    run.advance()
    net = Network([2, 9, 7, 2], "relu", loss=loss, dtype="float64")
    expected, _ = net.loss_and_grad(params, run.data.x_validation, run.data.y_validation)
    assert run.result().history["validation_loss"][0] == pytest.approx(expected, rel=1e-12)


def test_the_state_of_a_run_moves_to_another_process_of_it():
    settings = config(optimizer="adam", normalization="batch")
    whole, first, second = Run(settings), Run(settings), Run(settings)
    whole.advance()
    first.advance(7)
    for kept, given in zip(second.states, first.states, strict=True):
        kept[...] = given
    for name in ("params", "moments", "carry", "records", "memory", "best", "best_moments"):
        getattr(second, name)[...] = getattr(first, name)
    second.advance()
    assert everything(second) == everything(whole)


def test_plain_gradient_descent_equals_numpy():
    """Two epochs of mini-batch SGD on a linear network, from the same start and in the same order, in float64."""
    settings = config(dataset="diabetes", hidden=[], optimizer="sgd", learning_rate=0.05, epochs=2, dtype="float64")
    run = Run(settings)
    w, b = (part.copy() for part in shape.views(run.layers, run.params)[0].values())
    x, y, losses = run.data.x_train, run.data.y_train, []
    for epoch in range(2):
        order = permutation(settings.order_seed, "order", len(x), epoch)
        for start in range(0, len(x), 16):
            rows = order[start : start + 16]
            rest = x[rows] @ w + b - y[rows]
            losses.append(((rest**2).sum() / len(rows), len(rows)))
            w = w - 0.05 * 2 * x[rows].T @ rest / len(rows)
            b = b - 0.05 * 2 * rest.sum(axis=0) / len(rows)
    run.advance()
    result = run.result()
    np.testing.assert_allclose(shape.views(run.layers, result.params)[0]["W"], w, rtol=1e-11)
    np.testing.assert_allclose(shape.views(run.layers, result.params)[0]["b"], b, rtol=1e-10, atol=1e-15)
    half = len(losses) // 2
    means = [_mean(part) for part in (losses[:half], losses[half:])]
    np.testing.assert_allclose(result.history["train_loss"][1:], means, rtol=1e-11)
    rest = run.data.x_test @ w + b - run.data.y_test
    assert result.metrics["test_loss"] == pytest.approx((rest**2).sum() / len(rest), rel=1e-11)
    spread = ((run.data.y_test - run.data.y_test.mean(axis=0)) ** 2).sum()
    assert result.metrics["test_score"] == pytest.approx(1 - (rest**2).sum() / spread, rel=1e-10)


def _mean(part):
    values, weights = zip(*part, strict=True)
    return float(np.average(values, weights=weights))


@pytest.mark.parametrize(
    ("batch_size", "normalization", "steps"),
    [("full", "none", 1), (1, "none", 62), (16, "none", 4), (61, "none", 2), (61, "batch", 1), (1000, "none", 1)],
)
def test_every_epoch_visits_every_sample_once(batch_size, normalization, steps):
    """62 training samples; under batch normalization a remainder of one joins the batch before it."""
    run = Run(config(batch_size=batch_size, normalization=normalization, epochs=1))
    assert len(run.data.x_train) == 62
    run.advance()
    assert run.result().counts["steps"] == steps
    assert sorted(run.order) == list(range(62))


def test_the_order_of_samples_depends_on_its_seed_alone():
    first, second = Run(config(order_seed=5)), Run(config(order_seed=5, init_seed=9, optimizer="adam"))
    other = Run(config(order_seed=6))
    for run in (first, second, other):
        run.advance(1)
    assert (first.order == second.order).all()
    assert (first.order != other.order).any()


def test_the_same_seed_gives_the_same_start_to_every_optimizer():
    starts = [Run(config(optimizer=name)).params for name in optimizers]
    assert all((start == starts[0]).all() for start in starts)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.3), (0.2, 0.0), (0.2, 0.3)])
def test_penalties_add_to_loss_and_gradient_of_weights_only(l1, l2, dtype):
    """l1 sum |W| + l2/2 sum W^2; a weight that is 0 gets no gradient from the former."""
    settings = {"dtype": dtype, "epochs": 1, "batch_size": "full", "init": {"name": "sparse", "connections": 1}}
    plain, penalized = Run(config(**settings)), Run(config(l1=l1, l2=l2, **settings))
    w = [layer["W"].astype(np.float64) for layer in shape.views(plain.layers, plain.params.copy())]
    assert any((x == 0).any() for x in w)
    for run in (plain, penalized):
        run.advance()
    extra = sum(l1 * np.abs(x).sum() + l2 / 2 * (x**2).sum() for x in w)
    losses = [run.result().history["train_loss"][1] for run in (plain, penalized)]
    eps = float(np.finfo(dtype).eps)
    assert losses[1] - losses[0] == pytest.approx(extra, rel=100 * eps)
    difference = shape.views(plain.layers, penalized.grads.astype(np.float64) - plain.grads)
    for layer, weights in zip(difference, w, strict=True):
        np.testing.assert_allclose(layer["W"], l1 * np.sign(weights) + l2 * weights, atol=8 * eps)
        assert (layer["b"] == 0).all()


def test_decoupled_decay_shrinks_weights_by_rate_times_decay():
    settings = {"dtype": "float64", "epochs": 1, "batch_size": "full", "learning_rate": 0.1}
    plain, decayed = (Run(config(weight_decay=d, **settings)) for d in (0.0, 0.5))
    start = shape.views(plain.layers, plain.params.copy())
    for run in (plain, decayed):
        run.advance()
    ends = [shape.views(run.layers, run.params) for run in (plain, decayed)]
    for begin, without, with_decay in zip(start, *ends, strict=True):
        np.testing.assert_allclose(without["W"] - with_decay["W"], 0.05 * begin["W"], atol=1e-15)
        np.testing.assert_array_equal(without["b"], with_decay["b"])


def test_divergence_is_a_result_with_its_step():
    result = execute(config(learning_rate=1e30, optimizer="sgd", activation="identity"))
    assert result.status == "diverged"
    step = result.metrics["diverged_step"]
    assert 1 <= step <= 5
    assert result.counts["steps"] == step
    assert result.metrics["last_finite_loss"] > 0
    assert result.metrics["test_loss"] is None
    assert np.isfinite(result.history["validation_loss"][0])


def test_the_test_set_decides_nothing():
    """Test samples so far away that their loss overflows: training and validation never saw them."""
    run = Run(config(dataset="diabetes", hidden=[], learning_rate=0.01, dtype="float64"))
    spoiled = np.full_like(run.data.x_test, 1e200)
    run.addresses[ARRAY.x_test] = spoiled.ctypes.data
    assert run.advance() == "done"
    assert not np.isfinite(run.result().metrics["test_loss"])
    assert np.isfinite(run.result().metrics["final_validation_loss"])


@pytest.mark.parametrize(("rate", "status"), [(1e30, "diverged"), (0.1, "done")])
def test_a_run_that_has_ended_stays_as_it_is(rate, status):
    run = Run(config(learning_rate=rate, optimizer="sgd", activation="identity"))
    assert run.advance() == status
    before = everything(run)
    assert run.advance() == run.advance(3) == status
    assert everything(run) == before


def test_a_loss_far_over_its_start_at_two_evaluations_is_divergence():
    """Gradient descent on a quadratic beyond 2 / curvature: grows by a steady factor and stays finite for long."""
    given = {"dataset": "diabetes", "hidden": [], "optimizer": "sgd", "learning_rate": 0.6, "batch_size": "full"}
    result = execute(config(**given, epochs=200, dtype="float64"))
    losses = result.history["validation_loss"]
    assert result.status == "diverged"
    assert np.isfinite(losses).all()
    over = losses > DIVERGENCE_FACTOR * losses[0]
    assert over[-2:].all()
    assert not over[:-2].any()


@pytest.mark.parametrize(
    ("epochs", "every", "rows"), [(7, 3, [0, 3, 6, 7]), (6, 3, [0, 3, 6]), (2, 5, [0, 2]), (3, 1, [0, 1, 2, 3])]
)
def test_evaluation_rows_follow_evaluate_every_and_end_with_the_last_epoch(epochs, every, rows):
    settings = config(epochs=epochs, evaluate_every=every)
    history = execute(settings).history
    assert history["epoch"].tolist() == rows
    assert shape.evaluations(settings) == len(rows)
    assert np.isnan(history["train_loss"][0])
    assert np.isfinite(history["gradient_norm"]).all()


@pytest.mark.parametrize("every", [1, 2, 9])
def test_with_one_step_an_epoch_every_row_knows_its_step(every):
    history = execute(config(batch_size="full", evaluate_every=every)).history
    for name in ("gradient_norm", "weight_norm", "update_ratio"):
        assert np.isfinite(history[name]).all()
    if every == 1:  # the first step is that of epoch 0 and of epoch 1
        assert (history["update_ratio"][1] == history["update_ratio"][0]).all()
        assert (history["update_ratio"][2] != history["update_ratio"][0]).all()


def test_the_final_validation_loss_is_that_of_the_last_epoch():
    seldom, often = (execute(config(epochs=5, evaluate_every=every)).metrics for every in (3, 1))
    assert seldom["final_validation_loss"] == often["final_validation_loss"]
    assert seldom["test_loss"] == often["test_loss"]


def test_no_epochs_evaluates_the_start():
    result = execute(config(epochs=0))
    assert result.status == "done"
    assert result.metrics["test_loss"] == result.metrics["best_test_loss"]


def test_best_epoch_is_the_one_of_the_lowest_validation_loss():
    result = execute(config(epochs=30, learning_rate=0.3, optimizer="momentum"))
    losses = result.history["validation_loss"]
    assert result.metrics["best_epoch"] == result.history["epoch"][int(np.argmin(losses))]
    assert result.metrics["best_validation_loss"] == losses.min()


def test_history_matches_the_network_interface():
    """Gradient norm, weight norm and update ratio of the first step, and activations of the start, by hand."""
    import mlpjit as mj

    run = Run(config(batch_size="full", dtype="float64", activation="tanh", optimizer="sgd", learning_rate=0.1))
    net = mj.Network([2, 9, 7, 2], activation="tanh", dtype="float64")
    start = run.params.copy()
    _, grads = net.loss_and_grad(start, run.data.x_train, run.data.y_train)
    run.advance()
    history = run.result().history
    for l, (g, w) in enumerate(zip(net.layers(grads), net.layers(start), strict=True)):  # noqa: E741
        assert history["gradient_norm"][0, l] == pytest.approx(np.linalg.norm(g["W"]), rel=1e-10)
        assert history["weight_norm"][0, l] == pytest.approx(np.linalg.norm(w["W"]), rel=1e-12)
        ratio = 0.1 * np.linalg.norm(g["W"]) / np.linalg.norm(w["W"])
        assert history["update_ratio"][0, l] == pytest.approx(ratio, rel=1e-9)
    first = net.layers(start)[0]
    a = np.tanh(run.data.x_validation @ first["W"] + first["b"])
    assert history["activation_mean"][0, 0] == pytest.approx(a.mean(), rel=1e-9)
    assert history["activation_std"][0, 0] == pytest.approx(a.std(), rel=1e-9)
    assert history["saturated_fraction"][0, 0] == pytest.approx(((1 - a**2) < 0.01).mean())


def test_dead_units_are_counted():
    run = Run(config(activation="relu"))
    first = shape.views(run.layers, run.params)[0]
    first["W"][:, :4], first["b"][:4] = 0.0, -1.0
    run.advance()
    assert run.result().history["dead_fraction"][0, 0] >= 4 / 9


def test_stop_returns_within_50_ms_and_keeps_what_was_done():
    control = Control()
    settings = RunConfig(hidden=[64] * 4, activation="gelu", optimizer="adam", epochs=100_000)
    execute(settings.model_copy(update={"epochs": 1}))
    run = Run(settings, control)
    thread = threading.Thread(target=run.advance)
    thread.start()
    while control.progress()[0] < 20:
        time.sleep(0.001)
    asked = time.perf_counter()
    control.stop()
    thread.join()
    assert time.perf_counter() - asked < 0.25  # 50 ms by design; the rest is for a busy machine
    result = run.result()
    assert result.status == "stopped"
    assert result.counts["steps"] == control.progress()[0] >= 20


CLOCK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_a_stop_at_any_moment_of_an_evaluation_changes_no_bit(normalization):
    """The clock is read around every evaluation; this one asks for a stop there, so that each is cut once."""
    settings = config(normalization=normalization, optimizer="adam", epochs=2, evaluate_every=1, batch_size=31)
    whole, cut = Run(settings), Run(settings)
    assert whole.advance() == "done"
    asked = []

    def stop_once(clock, out):
        rows = int(cut.carry[CARRY.rows_written]), int(cut.carry[CARRY.step])
        if rows not in asked:
            asked.append(rows)
            cut.control.stop()
        return 0

    callback = CLOCK(stop_once)
    cut.plan[PLAN.clock] = ctypes.cast(callback, ctypes.c_void_p).value
    stops = 0
    while cut.advance() == "stopped":
        assert len(cut.result().history["epoch"]) == asked[-1][0]
        stops += 1
        cut.control.go_on()
    assert stops == 6  # four evaluations, the test among them, and two steps behind one
    assert everything(cut) == everything(whole)


def test_measured_step_times_are_ordered():
    found = measure_step(config(), repeats=3)
    assert 0 < found["low_seconds"] <= found["step_seconds"] <= found["high_seconds"]


def test_epoch_0_of_a_normalized_network_is_evaluated_with_its_own_statistics():
    """Untrained running statistics would leave the network as if it were not normalized."""
    run = Run(config(normalization="batch", activation="identity", init="normal"))
    run.advance(1)
    first = run.result().history["activation_std"][0, :2]
    np.testing.assert_allclose(first, 1.0, rtol=0.2)  # eps counts against such small weights
    assert (run.best_moments[run.table[0, LAYER.running_at] :][9:18] == 1.0).all()


def test_parameters_broken_by_the_last_step_are_divergence():
    result = execute(config(learning_rate=1e38, epochs=1, evaluate_every=2, batch_size="full"))
    assert result.status == "diverged"
    assert result.metrics["test_loss"] is None


def executed_below(folder: str, call: Callable[[], object]) -> set[str]:
    """The functions of a folder of the package that a call executes."""
    found = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE / folder)):
            found.add(frame.f_code.co_qualname)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


CONFIGS = {
    "plain": {},
    "all of it": {
        "optimizer": "momentum", "momentum_schedule": "linear", "weight_decay": 0.1, "clip": "global_norm",
        "wrapper": "lookahead", "normalization": "batch", "residual": "post", "hidden": [6, 6], "dropout": 0.1,
        "schedule": "reduce_on_plateau", "loss": {"name": "cross_entropy", "label_smoothing": 0.1},
    },
    "curvature": {"optimizer": "adahessian"},
    "drawn labels": {"optimizer": "kfac"},
}  # fmt: skip


@pytest.mark.parametrize("given", CONFIGS.values(), ids=CONFIGS)
def test_a_run_executes_nothing_of_the_config_but_what_gives_its_values(given, monkeypatch):
    """So that its bits are a function of these values and of the code in kernels, catalogue and training."""
    config = RunConfig(**{"dataset": "two_moons", "hidden": [6], "epochs": 2, **given})
    assert "RunConfig.canonical" in executed_below("config", lambda: values_of(config))
    values = values_of(config)
    monkeypatch.setattr("mlpjit.training.run.values_of", lambda given: values)

    def whole() -> None:
        made = Run(config)
        made.advance(3)
        made.advance()
        assert made.result().status == "done"

    assert executed_below("training", whole) > {"Run.advance", "Run.result", "plan_workspace"}
    assert executed_below("config", whole) == set()


@pytest.mark.parametrize("seed", range(5))
def test_a_newcomer_s_first_run_gets_95_percent_of_the_digits_right(seed):
    assert execute(RunConfig(seed=seed)).test_accuracy >= 0.95
