"""What a run takes: floating point operations, seconds, bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mlpjit.kernels.run.records import LAYER_RECORDS, RUN_RECORDS

if TYPE_CHECKING:
    from mlpjit.config.run_config import RunConfig
from mlpjit.training.shape import (
    EVALUATION_ROWS,
    ITEM_BYTES,
    batch_rows,
    evaluations,
    is_learned,
    layer_activations,
    padded,
    parameter_count,
    sizes,
    total_steps,
)

# Runs that one call makes, and what it holds of them beside the memory of one.
MOST_RUNS, MOST_BYTES = 2048, 32 * 2**20


def step_flops(config: RunConfig, rows: int) -> float:
    """Return the useful FLOP of one step: 6 B sum(in out) - 2 B in_0 out_0."""
    shape = sizes(config)
    products = sum(a * b for a, b in pairwise(shape))
    return float(rows * (6 * products - 2 * shape[0] * shape[1]))


def _matrices_kept(config: RunConfig) -> int:
    """Return how many matrices a hidden layer keeps beside a and df, at most."""
    learned = any(map(is_learned, layer_activations(config)))
    return sum((config.normalization != "none", config.residual != "none" or learned, learned, config.dropout > 0))


def estimated_cost(config: RunConfig) -> float:
    """Return the FLOP of the run, evaluations included: what a sweep orders its runs by."""
    info, shape = config.data, sizes(config)
    products = sum(a * b for a, b in pairwise(shape))
    units = 40.0 * sum(shape[1:]) + 10.0 * _matrices_kept(config) * sum(shape[1:-1])
    training = config.epochs * (step_flops(config, info.train_samples) + info.train_samples * units)
    update = 20.0 * total_steps(config) * parameter_count(config)
    looking = evaluations(config) * info.validation_samples * (2.0 * products + units)
    return training + update + looking


def estimated_bytes(config: RunConfig) -> int:
    """Return the memory of one run: parameters, gradients, state, best copy, and the workspace."""
    shape, count = sizes(config), parameter_count(config)
    rows = max(batch_rows(config) + 1, EVALUATION_ROWS)
    own = _matrices_kept(config)
    buffers = rows * sum((2 + own) * padded(width, config.dtype) for width in shape)
    return ITEM_BYTES[config.dtype] * (8 * count + buffers)


def most_at_once(config: RunConfig) -> int:
    """Return how many runs like this one may be made by one call, by what it holds of each."""
    data = config.data
    samples = data.train_samples + data.validation_samples + data.test_samples
    records = len(RUN_RECORDS) + (len(config.hidden) + 1) * len(LAYER_RECORDS)
    held = ITEM_BYTES[config.dtype] * (samples * (data.inputs + data.outputs) + parameter_count(config))
    return max(1, min(MOST_RUNS, MOST_BYTES // (held + 8 * records * (evaluations(config) + 1))))
