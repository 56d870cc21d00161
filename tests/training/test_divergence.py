"""When a run has diverged, and since which step; runs spoiled by numbers that are not finite, huge or subnormal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mlpjit as mj
from bench.evidence import divergence
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


@pytest.mark.parametrize(
    ("optimizer", "seed", "proof"),
    [("nesterov", 4, "diverges in float64"), ("schedule_free_sgd", 5, "passes the largest float32")],
)
def test_a_flag_at_the_default_rate_is_shown_to_be_right_by_float64(optimizer, seed, proof):
    pair = (optimizer, "relu_squared")
    flagged, doubled = (Run(divergence.config_of(pair, seed, 3, dtype=dtype)) for dtype in ("float32", "float64"))
    with np.errstate(all="ignore"):
        assert flagged.advance() == "diverged"
    assert divergence.proof_of(flagged, doubled) == proof


def test_nothing_shows_that_a_healthy_run_was_flagged_rightly():
    pair = ("adam", "tanh")
    flagged, doubled = (Run(divergence.config_of(pair, 0, 3, dtype=dtype)) for dtype in ("float32", "float64"))
    flagged.params[:] = np.nan
    assert divergence.proof_of(flagged, doubled) is None
