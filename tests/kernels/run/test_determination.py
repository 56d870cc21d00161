"""R^2: against its formula in rational numbers, and of targets that do not vary."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.run.evaluation import determination
from mlpjit.training.run import execute


def score(targets: np.ndarray, residuals: np.ndarray) -> float:
    """R^2 of targets (rows, outputs) and residuals (outputs,), their squares summed, by our kernel."""
    call = jit.load(determination, str(targets.dtype)).call
    return float(call(*targets.shape, targets.ctypes.data, residuals.ctypes.data))


def exact(targets: np.ndarray, residuals: np.ndarray) -> Fraction:
    """The mean over outputs of 1 - residuals / sum (y - mean)^2; of a constant target whether the residuals are 0."""
    total = Fraction(0)
    for column, given in zip(targets.T.tolist(), residuals.tolist(), strict=True):
        y, rest = [Fraction(value) for value in column], Fraction(given)
        mean = sum(y) / len(y)
        spread = sum((value - mean) ** 2 for value in y)
        total += 1 - rest / spread if spread else Fraction(int(rest == 0))
    return total / targets.shape[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 2, 3, 49, 270])
@pytest.mark.parametrize("residual", [0.0, 1e-4, 12.0])
def test_r_squared_is_its_formula_also_of_constant_targets(dtype, rows, residual):
    """0.1, 0.7 and 1/3 have no exact sums: in double their rounded mean is not their value."""
    rng = np.random.default_rng(rows)
    constant = np.tile([0.1, 0.7, 1 / 3, 0.0], (rows, 1))
    targets = np.ascontiguousarray(np.hstack([constant, rng.standard_normal((rows, 2))]), dtype)
    residuals = np.full(6, residual)
    assert score(targets, residuals) == pytest.approx(float(exact(targets, residuals)), rel=1e-12, abs=1e-12)


def test_the_rounded_mean_of_a_constant_is_another_number():
    """What the rule is there for: 49 rows of 0.1 have a mean of 0.1 only within an ulp."""
    column = np.full(49, 0.1)
    assert sum(column.tolist()) / 49 != 0.1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pixels_that_do_not_vary_leave_r_squared_a_number_of_this_world(dtype):
    """Of 64 pixels some are constant in the validation part of digits."""
    config = RunConfig(dataset="digits_autoencoder", hidden=[16], dtype=dtype, seed=3, epochs=2, learning_rate=0.02)
    history = execute(config).history
    assert np.all(np.abs(history["validation_score"]) < 10.0)
