"""Pieces of the training step: normalization, gathering a batch, copies of weights, whole passes, random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlpjit.kernels.arithmetic import random
from mlpjit.kernels.language import Kernel
from mlpjit.kernels.network import dropout, passes
from mlpjit.kernels.network.normalizing import batch_values, rowwise_values
from mlpjit.kernels.run import steps
from mlpjit.measure.cases.steps import config
from mlpjit.measure.cases.work import Work, filled, plain, size
from mlpjit.training.cost import step_flops
from mlpjit.training.run import Run
from mlpjit.training.shape import ITEM_BYTES, padded
from mlpjit.training.warm import prepare

ROWS, COLUMNS = 64, 64
SAMPLES = 1257  # the training set of digits


def batch_forward(dtype: str) -> Work:
    """Batch normalization of 64 x 64 with the batch's own statistics."""
    stride = padded(COLUMNS, dtype)
    z, kept = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride)
    gamma, beta, inverse = (filled(dtype, COLUMNS, low=0.5, high=1.5) for _ in range(3))
    running = filled(dtype, 2 * COLUMNS, low=0.5, high=1.5)
    run = plain(
        batch_values.normalize_batch, dtype, rows=ROWS, columns=COLUMNS, z=z, stride=stride, gamma=gamma, beta=beta,
        normalized=kept, inverse=inverse, running=running, eps=1e-5,
    )  # fmt: skip
    return Work(run, 9.0 * ROWS * COLUMNS, size(z, z, kept), size(z, kept, gamma, beta, inverse, running))


def batch_backward(dtype: str) -> Work:
    """Its backward pass; gamma/std is 1, so that repeating it lets nothing fade away."""
    stride = padded(COLUMNS, dtype)
    delta, kept = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride, low=-1.7, high=1.7)
    gamma, inverse = (filled(dtype, COLUMNS, low=1.0, high=1.0) for _ in range(2))
    gammas, betas = (filled(dtype, COLUMNS) for _ in range(2))
    run = plain(
        batch_values.normalize_backward, dtype, rows=ROWS, columns=COLUMNS, delta=delta, stride=stride, gamma=gamma,
        normalized=kept, inverse=inverse, gamma_gradient=gammas, beta_gradient=betas,
    )  # fmt: skip
    return Work(run, 8.0 * ROWS * COLUMNS, size(delta, delta, kept), size(delta, kept, gamma, inverse, gammas, betas))


def rows_forward(dtype: str) -> Work:
    """Layer normalization of 64 x 64."""
    stride = padded(COLUMNS, dtype)
    z, kept = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride)
    gamma, beta, inverse = (filled(dtype, COLUMNS, low=0.5, high=1.5) for _ in range(3))
    run = plain(
        rowwise_values.normalize_rows, dtype, rows=ROWS, columns=COLUMNS, z=z, stride=stride, centred=1, gamma=gamma,
        beta=beta, normalized=kept, inverse=inverse, eps=1e-5,
    )  # fmt: skip
    return Work(run, 7.0 * ROWS * COLUMNS, size(z, z, kept), size(z, kept, gamma, beta, inverse))


def rows_backward(dtype: str) -> Work:
    """Its backward pass; gamma and 1/std are 1, so that repeating it lets nothing fade away."""
    stride = padded(COLUMNS, dtype)
    delta, kept = filled(dtype, ROWS, stride), filled(dtype, ROWS, stride, low=-1.7, high=1.7)
    gamma, inverse = (filled(dtype, COLUMNS, low=1.0, high=1.0) for _ in range(2))
    gammas, betas = (filled(dtype, COLUMNS) for _ in range(2))
    run = plain(
        rowwise_values.normalize_rows_back, dtype, rows=ROWS, columns=COLUMNS, delta=delta, stride=stride, centred=1,
        gamma=gamma, normalized=kept, inverse=inverse, gamma_gradient=gammas, beta_gradient=betas,
    )  # fmt: skip
    return Work(run, 11.0 * ROWS * COLUMNS, size(delta, delta, kept), size(delta, kept, gamma, inverse, gammas, betas))


def _prepared(dtype: str) -> tuple[Run, dict[str, Any]]:
    """Return a run of 4 x 64 tanh whose first batch has been through a step, and its tables by name."""
    settings = config(4, 64, "tanh", "adam", 64, dtype)
    prepare([settings])
    run = Run(settings)
    run.advance(1)
    names = {
        "rows": ROWS, "first": 0, "training": 1, "softmax": 0, "layer_count": len(run.layers), "layers": run.table,
        "params": run.params, "grads": run.grads, "running": run.moments, "workspace": run.workspace,
        "plan": run.plan, "arrays": run.addresses,
    }  # fmt: skip
    return run, names


def _of_run(record: Kernel, dtype: str) -> tuple[Run, Any]:
    run, names = _prepared(dtype)
    step = plain(record, dtype, **names)

    def work(repeats: int, kept: Run = run) -> None:
        step(repeats)

    return run, work


def gather(dtype: str) -> Work:
    """Copy the rows of a batch of digits and their targets."""
    run, work = _of_run(steps.gather_batch, dtype)
    row = run.data.x_train.shape[1] + run.data.y_train.shape[1]
    moved = 2.0 * ROWS * row * ITEM_BYTES[dtype]
    return Work(work, 0.0, moved, moved)


def refresh_weights(dtype: str) -> Work:
    """Make the copies of the weights that the products read."""
    run, work = _of_run(passes.refresh_weights, dtype)
    weights = sum(layer.fan_in * layer.fan_out for layer in run.layers[1:]) * ITEM_BYTES[dtype]
    return Work(work, 0.0, 2.0 * weights, 2.0 * weights)


def forward(dtype: str) -> Work:
    """Forward through 4 x 64 tanh."""
    run, work = _of_run(passes.forward, dtype)
    products = sum(layer.fan_in * layer.fan_out for layer in run.layers)
    return Work(work, 2.0 * ROWS * products, size(run.params), size(run.params) + size(run.workspace))


def gradient(dtype: str) -> Work:
    """Loss and gradient of a batch: copies of the weights, forward, loss, backward."""
    run, work = _of_run(steps.batch_gradient, dtype)
    return Work(
        work, step_flops(run.config, ROWS), 2.0 * size(run.params), 2.0 * size(run.params) + size(run.workspace)
    )


def uniform(dtype: str) -> Work:
    """Draw 1,257 numbers on (0, 1]; always in float64."""
    out = np.zeros(SAMPLES)
    run = plain(random.fill_uniform, "float64", seed=0, stream=1, place=0, count=SAMPLES, out=out)
    return Work(run, 0.0, size(out), size(out))


def mask(dtype: str) -> Work:
    """Draw a mask of dropout for 64 x 64."""
    out = filled(dtype, ROWS, padded(COLUMNS, dtype))
    run = plain(
        dropout.draw_mask, dtype, seed=0, step=1, layer=0, rows=ROWS, columns=COLUMNS, stride=out.shape[1],
        below=dropout.threshold(0.5), mask=out,
    )  # fmt: skip
    return Work(run, 0.0, size(out), size(out))


def permutation(dtype: str) -> Work:
    """Shuffle the numbers below 1,257: the order of an epoch of digits."""
    out = np.zeros(SAMPLES, np.int64)
    run = plain(random.fill_permutation, "float64", seed=0, stream=1, place=0, count=SAMPLES, out=out)
    return Work(run, 0.0, size(out), size(out))
