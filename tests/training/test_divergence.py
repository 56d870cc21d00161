"""When a run has diverged, and since which step; runs spoiled by numbers that are not finite, huge or subnormal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from bench.evidence import divergence
from bench.evidence.exact_steps import ExactRun
from mlpjit.kernels.tables import DIVERGENCE_FACTOR
from mlpjit.training.run import Run


def linear(**more: Any) -> Run:
    """A run that does not move by itself."""
    given = {"hidden": [], "optimizer": "sgd", "learning_rate": 1e-30, "batch_size": "full", "dtype": "float64"}
    return Run(mj.RunConfig(dataset="diabetes", **{**given, **more}))


def test_a_run_of_one_epoch_that_grew_without_end_has_diverged():
    """The loss is finite, and over the factor at the only evaluation behind the start."""
    made = linear(epochs=1, learning_rate=1e6)
    assert made.advance() == "diverged"
    result = made.result()
    first, last = result.history["validation_loss"]
    assert DIVERGENCE_FACTOR * first < last < np.inf
    assert result.metrics["diverged_step"] == 1
    assert result.metrics["final_validation_loss"] is None


@pytest.mark.parametrize(
    ("over", "status", "step"),
    [({2}, "done", None), ({2, 4}, "done", None), ({2, 3}, "diverged", 3), ({5}, "diverged", 5), (set(), "done", None)],
)
def test_a_spike_comes_back_and_the_end_does_not(over, status, step):
    """Weights are as they were but behind some steps, each an epoch."""
    made = linear(epochs=5)
    kept = made.params.copy()
    for epoch in range(1, 6):
        made.params[:] = kept * (1e4 if epoch in over else 1.0)
        made.advance(epoch)
    result = made.result()
    assert (result.status, result.metrics["diverged_step"]) == (status, step)


def test_the_step_is_the_one_that_left_no_finite_parameters():
    """A step is lost where its parameters are; the next one's loss tells so."""
    config = mj.RunConfig(
        dataset="wine", hidden=[8, 8], activation="relu_squared", optimizer="sgd", learning_rate=1000.0, epochs=3,
        batch_size=32,
    )  # fmt: skip
    whole, stepwise = Run(config), Run(config)
    with np.errstate(all="ignore"):
        for step in range(1, whole.steps + 1):
            stepwise.advance(step)
            if not np.isfinite(stepwise.params).all():
                break
    assert whole.advance() == "diverged"
    assert step % (whole.steps // 3) != 0  # it is no evaluation that finds it
    assert whole.result().metrics["diverged_step"] == step


FEW = [pair for pair in divergence.pairs() if pair[0] in ("sgd", "adam") and pair[1] in ("relu", "tanh")]


def test_spoiled_runs_are_flagged_within_an_epoch_and_healthy_ones_are_not():
    """bench/evidence/divergence.py has every optimizer and activation, and 10,000 healthy runs."""
    found = divergence.campaign(FEW, 100)
    assert found["wrong"] == found["false"] == []
    assert found["flagged"]["nan weights"] == found["flagged"]["nan data"] == len(FEW)
    assert found["flagged"]["subnormal rate"] == 0


def both(pair: divergence.Pair, seed: int, dataset: str) -> tuple[Run, Run]:
    """A run at the default rate, and the same in float64."""
    float32, float64 = (
        Run(divergence.config_of(pair, seed, 3, dataset=dataset, dtype=dtype)) for dtype in ("float32", "float64")
    )
    return float32, float64


@pytest.mark.parametrize(
    ("optimizer", "activation", "dataset", "seed", "proof"),
    [
        ("nesterov", "relu_squared", "iris", 4, "activations over the largest float32"),
        ("schedule_free_sgd", "relu_squared", "wine", 5, "activations over the largest float32"),
        ("schedule_free_sgd", "identity", "iris", 4, "loss over 10,000 times the start"),
        ("lars", "relu_squared", "iris", 6, "loss over 10,000 times the start"),
        ("kfac", "relu_squared", "iris", 6, "flagged in float64"),
    ],
)
def test_a_flag_at_the_default_rate_is_shown_to_be_right(optimizer, activation, dataset, seed, proof):
    flagged, doubled = both((optimizer, activation), seed, dataset)
    with np.errstate(all="ignore"):
        assert flagged.advance() == "diverged"
    assert divergence.proof_of(flagged, doubled) == proof


def test_nothing_shows_that_a_healthy_run_was_flagged_rightly():
    flagged, doubled = both(("nesterov", "identity"), 0, "iris")
    flagged.advance(8)
    flagged.params[:] = np.nan
    with np.errstate(all="ignore"):
        assert flagged.advance() == "diverged"
    assert divergence.proof_of(flagged, doubled) is None


@pytest.mark.parametrize(
    "pair",
    [("nesterov", "relu_squared"), ("schedule_free_sgd", "relu_squared"), ("nesterov", "snake"), ("adam", "identity")],
)
def test_the_steps_in_numpy_are_those_of_the_package(pair):
    made, beside = both(pair, 6, "wine")[1], both(pair, 6, "wine")[1]
    exact = ExactRun(beside)
    for step, tops in zip(range(1, 13), exact.steps(), strict=True):
        made.advance(step)
        np.testing.assert_allclose(exact.theta, made.params, rtol=1e-9)
        np.testing.assert_allclose(exact.point, made.point(), rtol=1e-9)
        assert tops["gradients"] < divergence.LARGEST
    told = made.result().history["validation_loss"]
    np.testing.assert_allclose([exact.start, exact.evaluate()["loss"]], [told[0], told[-1]], rtol=1e-9)


@pytest.mark.parametrize("seed", [4, 5, 7])
def test_float32_in_numpy_is_lost_in_the_step_that_is_flagged_though_float64_comes_back(seed):
    """Schedule-free descent, whose relu squared of 1e22 and more is 0 again once all its units are dead."""
    flagged, doubled = both(("schedule_free_sgd", "relu_squared"), seed, "wine")
    with np.errstate(all="ignore"):
        assert (flagged.advance(), doubled.advance()) == ("diverged", "done")
        beside = both(("schedule_free_sgd", "relu_squared"), seed, "wine")[0]
        lost = [step for step, tops in enumerate(ExactRun(beside).steps(), 1) if max(tops.values()) == np.inf]
    assert lost[0] == flagged.result().metrics["diverged_step"] == 4
