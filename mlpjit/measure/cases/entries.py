"""The loops of registered rules: activations, losses, optimizers and clipping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlpjit.catalogue import registries
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.network.activation_loops import activation_loop
from mlpjit.kernels.network.loss_rules import call_loss
from mlpjit.kernels.stages.stage import elementwise_loop
from mlpjit.measure import counting
from mlpjit.measure.cases.steps import training_step
from mlpjit.measure.cases.work import Work, by_name, filled, repeated, size
from mlpjit.training import linking
from mlpjit.training.shape import layers_of, padded
from mlpjit.training.stage_memory import parameters, scratch_size, settings_of, state_size, tensor_table
from mlpjit.training.workspace import tensors_of_layers

ROWS, OUTPUTS = 64, 10
# z and a together are half of a first-level cache of 32 KiB in float32.
ELEMENTS = 2048
# Digits through 4 hidden layers of 32: 5,578 parameters. With six states they are 180 KB, which any second-level cache
# holds wherever its pages lie: half a megabyte of them in one of as much took 5 % more or less from process to process.
SIZES = (64, 32, 32, 32, 32, 10)
REFILLS = 64


def activation(name: str, dtype: str) -> Work:
    """f and df of numbers in -4..4; df overwrites z, so z is filled again every now and then."""
    given, z, a = (filled(dtype, ELEMENTS, low=-4.0, high=4.0) for _ in range(3))
    step = repeated(linking.activation(name, dtype), activation_loop, [ELEMENTS, a, z], dtype)

    def run(repeats: int) -> None:
        for done in range(0, repeats, REFILLS):
            z[:] = given
            step(min(REFILLS, repeats - done))

    record = registries.activations[name]
    counted = counting.activation(record.function, dtype, record.settings)
    return _elementwise(run, counted, ELEMENTS, size(z, z, a), size(z, a))


def _elementwise(
    run: Callable[[int], None], counted: counting.Count | None, count: int, moved: float, resident: float
) -> Work:
    each = counted or counting.Count()
    return Work(run, each.flop * count, moved, resident, each.roots * count, each.divisions * count)


def loss(name: str, dtype: str) -> Work:
    """A batch of 64 with 10 outputs; the gradient overwrites the outputs."""
    stride = padded(OUTPUTS, dtype)
    predicted, targets = filled(dtype, ROWS, stride), filled(dtype, ROWS, OUTPUTS)
    targets[:] = np.arange(OUTPUTS) == (np.arange(ROWS) % OUTPUTS)[:, None]
    settings = np.array([*(float(v) for v in registries.losses[name].defaults.values()), 0.0])
    arguments = [ROWS, OUTPUTS, predicted, stride, targets, settings, 1.0 / ROWS]
    run = repeated(linking.loss(name, dtype), call_loss, arguments, dtype)
    return Work(run, 0.0, size(predicted, predicted, targets), size(predicted, targets))


def optimizer(name: str, dtype: str) -> Work:
    """One update of 5,578 parameters; of a rule that asks for more than a gradient a whole step of 4 x 64 tanh."""
    record = registries.optimizers[name]
    if record.curvature or record.factors or record.line_search:
        return training_step(4, 64, "tanh", name, 64, dtype)
    # Parameters and state are read and written, the gradient is read.
    passes = 3 + len(record.state) + counting.written_states(record, dtype)
    return _stage(record, linking.optimizer(name, dtype), dtype, passes)


def clipping(name: str, dtype: str) -> Work:
    """One clipping of 5,578 gradients, too small to be cut, as most are."""
    record = registries.clippings[name]
    return _stage(record, linking.clipping(name, dtype), dtype, passes=1)


def _stage(record: Stage, made: jit.Compiled, dtype: str, passes: int) -> Work:
    shapes = tensors_of_layers(layers_of(SIZES))
    count, slots = parameters(shapes), len(record.state)
    params, grads = filled(dtype, count), filled(dtype, count, low=-1e-4, high=1e-4)
    # Accumulated squares must not be negative, and nothing may be so small that it is subnormal.
    state = filled(dtype, max(1, state_size(record, shapes)), low=1e-4, high=1e-3)
    scratch, tensors = filled(dtype, max(1, scratch_size(record, shapes))), tensor_table(record, shapes)
    settings = np.array([*settings_of(record, {}), 0.0])
    values: dict[str, Any] = {
        "phase": 0, "step": 10, "rows": 64, "count": count, "params": params, "grads": grads, "state": state,
        "scratch": scratch, "settings": settings, "learning_rate": 1e-6, "loss": 1.0, "tensors": tensors,
        "tensor_count": len(tensors),
    }  # fmt: skip
    arguments = by_name(elementwise_loop.function, values)
    run = repeated(made, elementwise_loop, arguments, dtype)
    counted = counting.update(record, dtype) if record.kind == "elementwise" else None
    return _elementwise(run, counted, count, passes * size(params), (2 + slots) * size(params))
