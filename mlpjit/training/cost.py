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

# Fitted to 74 networks of width 4 to 256 and depth 1 to 8 on a core of a Zen 5 (AVX-512): each within a third.
FLOPS = 170e9  # of products over whole vectors, a second
LAYER_SECONDS = 17e-9  # for each sample and layer, of a step: activations, delta, and what else is done row by row
PARAMETER_SECONDS = 0.17e-9  # for each update of a parameter
STEP_SECONDS, RUN_SECONDS = 0.7e-6, 9e-6
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
    """Return the seconds of a core that the run takes, evaluations included: what a sweep orders its runs by.

    A core at which wide networks reach 170 GFLOP/s in float32; `study/pace.py` sets this machine beside it. Rules that
    work on whole matrices or ask for curvature take longer.
    """
    info, layers = config.data, len(sizes(config)) - 1
    step, look = _products(config)
    samples, looked = config.epochs * info.train_samples, (evaluations(config) + 1) * info.validation_samples
    passed = (samples + 0.5 * looked) * (layers + _matrices_kept(config))
    moved = total_steps(config) * parameter_count(config)
    scaled = (samples * step + looked * look) / FLOPS + passed * LAYER_SECONDS + moved * PARAMETER_SECONDS
    return RUN_SECONDS + total_steps(config) * STEP_SECONDS + scaled * ITEM_BYTES[config.dtype] / 4


def _products(config: RunConfig) -> tuple[float, float]:
    """Return the FLOP for one sample of a step's products and of an evaluation's, over whole vectors as they are made.

    A step takes x W, x^T delta, and but for the first layer delta W^T.
    """
    pairs = list(pairwise(sizes(config)))
    forward = sum(fan_in * padded(fan_out, config.dtype) for fan_in, fan_out in pairs)
    back = sum(padded(fan_in, config.dtype) * fan_out for fan_in, fan_out in pairs[1:])
    return 2.0 * (2 * forward + back), 2.0 * forward


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
