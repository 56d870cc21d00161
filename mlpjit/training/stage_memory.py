"""What the stages of a step (clip, optimizer, wrapper) need in memory: their state, their scratch, their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.kernels.stages.stage import EXTRA_AT, TENSOR_COLUMNS
from mlpjit.kernels.tables import BIAS, WEIGHT
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.kernels.entries import Rule, Stage

# A tensor: rows, columns, kind; one-dimensional ones have one row.
Tensor = tuple[int, int, int]


def tensors_of(shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return tensors from shapes (n,) or (rows, columns); matrices count as weights, vectors as biases."""
    return [(s[0], s[1], WEIGHT) if len(s) == 2 else (1, s[0], BIAS) for s in map(tuple, shapes)]


def parameters(tensors: Sequence[Tensor]) -> int:
    """Return the length of the packed buffer."""
    return sum(rows * columns for rows, columns, _ in tensors)


def state_size(record: Stage, tensors: Sequence[Tensor]) -> int:
    """Return how many numbers a stage keeps: its arrays, then what it keeps of each tensor."""
    own = sum(record.extra(*tensor) for tensor in tensors) if record.extra else 0
    return len(record.state) * parameters(tensors) + own


def scratch_size(record: Stage | None, tensors: Sequence[Tensor]) -> int:
    """Return how many numbers of scratch a stage needs, a vector to spare included."""
    if record is None:
        return 0
    arrays = max(record.scratch, 2 if record.curvature else 0)
    own = max((record.extra_scratch(*tensor) for tensor in tensors), default=0) if record.extra_scratch else 0
    return arrays * parameters(tensors) + own + 16


def initial_state(
    record: Stage, hyperparameters: Mapping[str, Any], params: np.ndarray, tensors: Sequence[Tensor]
) -> np.ndarray:
    """Return a stage's state before the first step: arrays as long as the parameters, then what is kept of tensors."""
    count = len(params)
    packed = aligned(max(1, state_size(record, tensors)), str(params.dtype))
    for place, name in enumerate(record.state):
        given = record.initial.get(name, 0.0)
        number = float(hyperparameters[given]) if given in record.defaults else given
        packed[place * count : (place + 1) * count] = params if given == "params" else number
    return packed


def tensor_table(record: Stage | None, tensors: Sequence[Tensor]) -> np.ndarray:
    """Return one row a tensor, int64 (tensors, TENSOR_COLUMNS): offset, shape, kind, where its own state begins."""
    table = np.zeros((len(tensors), TENSOR_COLUMNS), np.int64)
    at, own = 0, len(record.state) * parameters(tensors) if record else 0
    for row, (rows, columns, kind) in zip(table, tensors, strict=True):
        row[: EXTRA_AT + 1] = at, rows, columns, kind, own
        at += rows * columns
        own += record.extra(rows, columns, kind) if record and record.extra else 0
    return table


def settings_of(record: Rule, hyperparameters: Mapping[str, Any], seed: int = 0) -> list[float]:
    """Return the hyperparameters in the order in which its kernel reads them; where it draws, two halves of the seed.

    They are the low and the high 32 bits, which float64 holds exactly.
    """
    given = [float(hyperparameters.get(name, default)) for name, default in record.defaults.items()]
    halves = [float(seed & 0xFFFFFFFF), float(seed >> 32)] if getattr(record, "draws", False) else []
    return given + halves
