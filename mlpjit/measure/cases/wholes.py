"""What surrounds the training step: evaluation, schedules, first parameters, the making of a run, a whole short run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import schedules
from mlpjit.config.run_config import RunConfig
from mlpjit.kernels import rates
from mlpjit.kernels.arithmetic import matrices, orthonormal
from mlpjit.kernels.run import evaluation
from mlpjit.kernels.tables import NUMBER
from mlpjit.measure.cases.steps import config
from mlpjit.measure.cases.work import Work, filled, plain, repeated, size
from mlpjit.training import linking, shape
from mlpjit.training.cost import step_flops
from mlpjit.training.first_parameters import initial_params
from mlpjit.training.run import Run, execute
from mlpjit.training.shape import padded
from mlpjit.training.warm import prepare

ROWS, COLUMNS = 64, 64
STEPS = 1000


def _again(once: Callable[[], object]) -> Callable[[int], None]:
    def run(repeats: int) -> None:
        for _ in range(repeats):
            once()

    return run


def evaluate(dtype: str) -> Work:
    """Evaluate 4 x 64 tanh on the validation set of digits, diagnostics of all layers included."""
    settings = config(4, 64, "tanh", "adam", ROWS, dtype)
    prepare([settings])
    made = Run(settings)
    made.advance(1)
    x, y, rows = made.data.x_validation, made.data.y_validation, len(made.data.x_validation)
    record, score = np.zeros(made.records.shape[1]), np.zeros(1)
    step = plain(
        evaluation.evaluate, dtype, plan=made.plan, arrays=made.addresses, training=0, params=made.params,
        moments=made.moments, rows=rows, x=x, y=y, observe=1, record=record, score=score,
    )  # fmt: skip

    def run(repeats: int, kept: Run = made) -> None:
        step(repeats)

    # Forward is a third of a step's products, but for the input gradient that the first layer does not need.
    products = sum(layer.fan_in * layer.fan_out for layer in made.layers)
    return Work(run, 2.0 * rows * products, size(x, made.params), size(made.params, made.workspace))


def column_sums(dtype: str) -> Work:
    """Sum 64 x 64 over its rows: the gradient of a bias."""
    stride = padded(COLUMNS, dtype)
    delta, out = filled(dtype, ROWS, stride), filled(dtype, COLUMNS)
    run = plain(matrices.column_sums, dtype, rows=ROWS, columns=COLUMNS, delta=delta, stride=stride, out=out)
    return Work(run, float(ROWS * COLUMNS), size(delta, out), size(delta, out))


def schedule(name: str, dtype: str) -> Work:
    """Write the rates of 1,000 steps; always in float64."""
    record = schedules[name]
    numbers, out = np.array([*rates.settings(record, {}), 0.0]), np.empty(STEPS)
    made = linking.schedule(name)
    warmup = int(record.defaults["warmup"])
    arguments = [0, STEPS, STEPS, 1e-3, warmup, numbers, out]
    return Work(repeated(made, rates.schedule_loop, arguments, "float64"), 0.0, size(out), size(out))


def orthonormal_rows(dtype: str) -> Work:
    """Make 64 rows orthonormal, in float64 for either dtype; that they were before takes no less time."""
    matrix = filled("float64", ROWS, COLUMNS)
    run = plain(orthonormal.orthonormalize_rows, "float64", rows=ROWS, columns=COLUMNS, matrix=matrix)
    # Each row twice: a product with, and a step along, each one above it.
    return Work(run, 4.0 * COLUMNS * ROWS * (ROWS - 1), size(matrix), size(matrix))


def initializer(name: str, dtype: str) -> Work:
    """First parameters of 64-64-10 networks, Python included."""
    layers = shape.layers_of([64, 64, 10])
    size_of = shape.parameters_of(layers) * shape.ITEM_BYTES[dtype]

    def once() -> object:
        return initial_params(layers, {"name": name}, 0, dtype, ["tanh", "identity"])

    return Work(_again(once), 0.0, float(size_of), float(size_of))


def _short(dtype: str) -> RunConfig:
    return RunConfig(
        dataset="digits", depth=2, width=16, activation="relu", optimizer="adam", epochs=1, seed=0, dtype=dtype
    )  # fmt: skip


def construction(dtype: str) -> Work:
    """Make the buffers of a run: what Python does before each."""
    settings = _short(dtype)
    prepare([settings])
    buffers = _buffers(Run(settings))
    return Work(_again(lambda: Run(settings)), 0.0, buffers, buffers)


def _buffers(made: Run) -> float:
    return size(made.params, made.grads, made.best, made.workspace)


def short_run(dtype: str) -> Work:
    """One epoch of 2 x 16 relu on digits, from configuration to result."""
    settings = _short(dtype)
    prepare([settings])
    made = Run(settings)
    flop = step_flops(settings, 1) * len(made.data.x_train)
    return Work(_again(lambda: execute(settings)), flop, made.steps * size(made.params), _buffers(made))


def constrained_step(dtype: str) -> Work:
    """Steps with all that a step may have: batch normalization, both penalties, clipping; 4 x 64 tanh, Adam."""
    from mlpjit.measure.cases.steps import Steps

    settings = config(4, 64, "tanh", "adam", ROWS, dtype).model_copy(
        update={"normalization": "batch", "l2": 1e-4, "weight_decay": 1e-4}
    )
    prepare([settings])
    steps: Any = Steps(settings)
    made = steps.training
    assert made.numbers[NUMBER.l2] > 0.0
    return Work(steps.advance, step_flops(settings, ROWS), 3 * size(made.params), size(made.params, made.workspace))
