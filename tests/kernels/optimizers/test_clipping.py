"""Clipping rules: against NumPy, at the edges, and the one that has a step skipped, in whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from mlpjit.catalogue.registries import clippings
from mlpjit.kernels.stages.stage import DONE, SKIP
from mlpjit.kernels.tables import ARRAY
from mlpjit.training import linking
from mlpjit.training.run import Run
from mlpjit.training.stage_memory import parameters, scratch_size, settings_of, state_size, tensor_table, tensors_of

DTYPES = ["float32", "float64"]
Shapes = Sequence[Sequence[int]]
SHAPES: list[Shapes] = [
    [(1,)], [(7,)], [(65,)], [(1, 1)], [(1, 5)], [(9, 1)], [(3, 5), (5,), (5, 2), (2,)], [(64, 33), (33,)],
]  # fmt: skip


def called(
    name: str,
    gradient: np.ndarray,
    shapes: Shapes,
    params: np.ndarray | None = None,
    loss: float = 1.0,
    **settings: Any,
) -> tuple[int, np.ndarray]:
    """Return what the rule says and the clipped gradient; the parameters (ones) must not have changed."""
    record, tensors, dtype = clippings[name], tensors_of(shapes), str(gradient.dtype)
    grads, params = gradient.copy(), np.ones_like(gradient) if params is None else params
    before, state = params.copy(), np.zeros(state_size(record, tensors) + 1, dtype)
    scratch, table = np.zeros(scratch_size(record, tensors), dtype), tensor_table(record, tensors)
    numbers = np.array([*settings_of(record, settings), 0.0])
    where = [a.ctypes.data for a in (params, grads, state, scratch, numbers)]
    found = linking.clipping(name, dtype).call(0, 1, 64, len(grads), *where, 0.1, loss, table.ctypes.data, len(tensors))
    assert params.tobytes() == before.tobytes()
    return found, grads


def clip(name: str, gradient: np.ndarray, shapes: Shapes | None = None, **settings: Any) -> np.ndarray:
    found, grads = called(name, gradient, shapes or [(len(gradient),)], **settings)
    assert found == DONE
    return grads


def parts(packed: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(packed, ends), shapes, strict=True)]


def shrunk(g: np.ndarray, limit: np.ndarray | float, axis: int | None = None, eps: float = 0.0) -> np.ndarray:
    norm = np.sqrt((g**2).sum(axis=axis, keepdims=axis is not None)) + eps
    return g * np.minimum(1.0, limit / np.maximum(norm, 1e-300))


def unitwise(w: np.ndarray, g: np.ndarray, threshold: float, eps: float) -> np.ndarray:
    """Brock et al. 2021, eq. 3: a unit is a column of the stored matrix, which is (fan_in, fan_out)."""
    axis = 0 if g.ndim == 2 else None
    size = np.sqrt((w**2).sum(axis=axis, keepdims=axis is not None))
    return shrunk(g, threshold * np.maximum(size, eps), axis)


# name: (list of settings, f(list of w, list of g, settings) -> list of g).
ORACLES: dict[str, tuple[list[dict[str, float]], Any]] = {
    "global_norm": (
        [{"max_norm": m, "eps": e} for m, e in ((1e-3, 0.0), (1.0, 0.0), (1.0, 0.5), (1e6, 0.0))],
        lambda w, g, max_norm, eps: [
            part * min(1.0, max_norm / (np.sqrt(sum((each**2).sum() for each in g)) + eps + 1e-300)) for part in g
        ],
    ),
    "per_layer_norm": (
        [{"max_norm": m, "eps": e} for m, e in ((1e-3, 0.0), (1.0, 0.0), (1.0, 0.5), (1e6, 0.0))],
        lambda w, g, max_norm, eps: [shrunk(part, max_norm, eps=eps) for part in g],
    ),
    "value": (
        [{"max_value": m} for m in (1e-3, 1.0, 1e6)],
        lambda w, g, max_value: [part.clip(-max_value, max_value) for part in g],
    ),
    "adaptive": (
        [{"threshold": t, "eps": e} for t, e in ((0.01, 1e-3), (1.0, 1e-3), (0.3, 2.0), (1e6, 1e-3))],
        lambda w, g, threshold, eps: [unitwise(a, b, threshold, eps) for a, b in zip(w, g, strict=True)],
    ),
    "skip_non_finite": ([{}, {"max_consecutive_errors": 0}], lambda w, g, **settings: g),
}  # fmt: skip
CASES = [(name, settings) for name, (given, _) in ORACLES.items() for settings in given]


def test_every_clipping_has_an_oracle():
    assert set(clippings) == set(ORACLES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_against_numpy(name, settings, shapes, dtype):
    rng, count = np.random.default_rng(len(shapes)), parameters(tensors_of(shapes))
    w, g = (rng.normal(size=count).astype(dtype) for _ in range(2))
    g[:2] = 0.0
    wanted = ORACLES[name][1](*(parts(each.astype(np.float64), shapes) for each in (w, g)), **settings)
    found = called(name, g, shapes, w, **settings)[1]
    expected = np.concatenate([part.ravel() for part in wanted])
    np.testing.assert_allclose(found, expected, rtol=8 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(clippings))
def test_a_small_gradient_keeps_its_bits(name, dtype):
    g = np.array([1e-3, -2e-3, 3e-3, 0.0, -0.0], dtype)
    assert clip(name, g).tobytes() == g.tobytes()
    assert clip(name, np.zeros(3, dtype)).tobytes() == bytes(g.itemsize * 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", list(clippings))
def test_not_a_number_stays_or_has_the_step_skipped(name, dtype):
    g = np.full(35, 5.0, dtype)
    g[[2, 33]] = np.nan
    found, clipped = called(name, g, [(7, 5)])
    assert np.isnan(clipped[[2, 33]]).all()
    assert (found == SKIP) == (name == "skip_non_finite")


@pytest.mark.parametrize("name", ["global_norm", "per_layer_norm", "adaptive"])
@pytest.mark.parametrize(("size", "limit"), [(1e-30, 1e-31), (1e30, 1.0)])
def test_the_norm_of_float32_neither_underflows_nor_overflows(name, size, limit):
    """Squares in float32 would be 0 or infinite. Of 20 ones the length is sqrt(20), so the threshold is less."""
    g, length = np.full(20, size, np.float32), np.sqrt(20)
    settings = {"threshold": limit / length} if name == "adaptive" else {"max_norm": limit}
    np.testing.assert_allclose(clip(name, g, **settings), np.full(20, limit / length), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["global_norm", "per_layer_norm", "adaptive"])
def test_an_infinite_gradient_does_not_become_a_small_one(name, dtype):
    assert not np.isfinite(clip(name, np.array([np.inf, 1.0], dtype))[0])


def test_units_of_zero_weights_may_move_by_eps():
    """Brock et al. 2021: max(|W_i|, eps) keeps units that begin at zero alive."""
    found = called("adaptive", np.ones(6), [(3, 2)], np.zeros(6))[1]
    np.testing.assert_allclose(found, 0.01 * 1e-3 / np.sqrt(3), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_number_or_a_bad_loss_has_the_step_skipped(bad, dtype):
    good, largest = np.ones(40, dtype), np.full(40, np.finfo(dtype).max)
    for place in (0, 17, 39):
        g = good.copy()
        g[place] = bad
        assert called("skip_non_finite", g, [(8, 5)])[0] == SKIP
    assert called("skip_non_finite", good, [(8, 5)], loss=bad)[0] == SKIP
    assert called("skip_non_finite", largest, [(8, 5)])[0] == DONE
    assert called("skip_non_finite", good, [(8, 5)], loss=bad, max_consecutive_errors=0)[0] == DONE


LAYERS = [(10, 4), (4,), (4, 1), (1,)]


def run(**more: Any) -> Run:
    given = {"optimizer": {"name": "adam", "eps": 1e-3}, "clip": "skip_non_finite", "weight_decay": 0.1, **more}
    return Run(mj.RunConfig(
        dataset="diabetes", hidden=[4], activation="tanh", dtype="float64", learning_rate=0.03, batch_size=104,
        epochs=4, shuffle=False, **given,
    ))  # fmt: skip


def take_steps(made: Run, bad: Sequence[int], to_step: int | None = None) -> None:
    """Train on data of which some steps (from 1) see nothing but NaN."""
    data, broken = made.data.x_train, np.full_like(made.data.x_train, np.nan)
    for step in range(1, (to_step or made.steps) + 1):
        made.addresses[ARRAY.x_train] = (broken if step in bad else data).ctypes.data
        made.advance(step)


@pytest.mark.parametrize("bad", [(1,), (4,), (1, 2, 5, 6, 7)])
def test_a_run_leaves_out_its_bad_steps(bad):
    """As if they had not been for parameters, state and decay; they count for the schedule."""
    made, net = run(schedule="linear"), mj.Network([10, 4, 1], "tanh", loss="mse", dtype="float64")
    theta, opt = made.params.copy(), mj.optimizers["adam"](eps=1e-3)
    state, x, y = opt.init(theta, layers=LAYERS), made.data.x_train, made.data.y_train
    batches = [slice(0, 104), slice(104, 208), slice(208, len(x))]
    for step in range(1, made.steps + 1):
        batch, rate = batches[(step - 1) % 3], made.rates[step - 1]
        if step not in bad:
            _, g = net.loss_and_grad(theta, x[batch], y[batch])
            for layer in net.layers(theta):
                layer["W"][...] *= 1 - rate * 0.1
            theta, state = opt.update(theta, g, state, learning_rate=rate)
    take_steps(made, bad)
    result = made.result()
    np.testing.assert_allclose(made.params, theta, rtol=1e-10, atol=1e-13)
    assert result.status == "done"
    assert result.counts["steps"] == 12
    assert result.counts["skipped"] == len(bad)
    assert np.isfinite(result.history["train_loss"][1:]).all()


def test_a_skipped_step_moves_nothing():
    """Running statistics neither."""
    made = run(normalization="batch", wrapper="lookahead")
    take_steps(made, (), 4)
    kept = [made.params, made.moments, *made.states[1:]]
    before = [each.copy() for each in kept]
    take_steps(made, range(5, 7), 6)
    for each, old in zip(kept, before, strict=True):
        np.testing.assert_array_equal(each, old)
    assert made.result().history["update_ratio"][-1].tolist() == [0.0, 0.0]


def test_too_many_bad_steps_in_a_row_are_divergence():
    spec = {"name": "skip_non_finite", "max_consecutive_errors": 2}
    made, plain = run(clip=spec), run(clip=None)
    for each in (made, plain):
        take_steps(each, (2, 3, 5, 6, 7, 8))
    assert (made.result().status, made.result().metrics["diverged_step"]) == ("diverged", 7)
    assert (plain.result().status, plain.result().metrics["diverged_step"]) == ("diverged", 2)


def test_an_epoch_of_bad_steps_has_no_training_loss():
    made = run()
    take_steps(made, range(4, 7))
    history = made.result().history
    assert np.isnan(history["train_loss"]).tolist() == [True, False, True, False, False]
    assert history["validation_loss"][1] == history["validation_loss"][2]


@pytest.mark.parametrize("name", ["averaged_sgd", "schedule_free_sgd"])
def test_nothing_is_averaged_where_no_step_was_taken(name):
    made = run(optimizer=name, weight_decay=0.0)
    start = made.params.copy()
    take_steps(made, range(1, 13), 9)
    np.testing.assert_array_equal(made.result().params, start)


def test_the_numbers_of_a_run_are_those_of_its_clipping():
    """A run clips what its own layers are."""
    spec = {"name": "adaptive", "threshold": 0.003}
    made = run(clip=spec, optimizer="sgd", weight_decay=0.0)
    before = made.params.copy()
    net = mj.Network([10, 4, 1], "tanh", loss="mse", dtype="float64")
    _, g = net.loss_and_grad(before, made.data.x_train[:104], made.data.y_train[:104])
    take_steps(made, (), 1)
    wanted = [unitwise(w, part, 0.003, 1e-3) for w, part in zip(parts(before, LAYERS), parts(g, LAYERS), strict=True)]
    moved = np.concatenate([part.ravel() for part in wanted])
    np.testing.assert_allclose(before - made.params, 0.03 * moved, rtol=1e-9, atol=1e-15)
