"""What the stages of a step (clip, optimizer, wrapper) need in memory: their state, their scratch, their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpjit.kernels.run.records import layer_records
from mlpjit.kernels.tables import BIAS, NONE_AT, TENSOR, WEIGHT, filled_rows
from mlpjit.training.workspace import aligned

if TYPE_CHECKING:
    from mlpjit.kernels.entries import Rule, Stage
    from mlpjit.kernels.run.records.declare import Record

# What a table says of a batch's inputs and deltas where no stage looks at them.
NOT_PASSED = dict.fromkeys(("inputs_at", "inputs_stride", "deltas_at", "deltas_stride"), NONE_AT)
# A tensor: rows, columns, kind; one-dimensional ones have one row.
Tensor = tuple[int, int, int]
# The number of an array as long as the parameters, and what it begins with.
Part = tuple[int, "float | str"]


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
    packed = aligned(max(1, state_size(record, tensors)), str(params.dtype))
    fill_parts(packed, filled_parts(record, hyperparameters), params)
    return packed


def filled_parts(record: Stage, hyperparameters: Mapping[str, Any]) -> list[Part]:
    """Return what a state begins with where that is not 0: (number of the array, a number or "params")."""
    found: list[Part] = []
    for place, name in enumerate(record.state):
        given = record.initial.get(name, 0.0)
        number = given if given == "params" else float(hyperparameters[given]) if given in record.defaults else given
        found += [(place, number)] if number != 0.0 else []
    return found


def fill_parts(packed: np.ndarray, parts: Sequence[Part], params: np.ndarray) -> None:
    """Fill arrays, each as long as the parameters, of those that stand one behind the other."""
    count = len(params)
    for place, given in parts:
        packed[place * count : (place + 1) * count] = params if given == "params" else given


def records_kept() -> list[Record]:
    """Return the records that keep numbers from one recorded step to the next: as many as the parameters, each."""
    return [record for record in layer_records.records() if record.memory]


def tensor_table(
    record: Stage | None, tensors: Sequence[Tensor], passed: Sequence[Mapping[str, int]] = ()
) -> np.ndarray:
    """Return one row a tensor, int64 (tensors, len(TENSOR)): offset, shape, kind, where its own state begins.

    passed: for each tensor where the inputs and the deltas of its layer stand, for stages that read them.
    """
    made, at, own = [], 0, len(record.state) * parameters(tensors) if record else 0
    for (rows, columns, kind), places in zip(tensors, passed or [NOT_PASSED] * len(tensors), strict=True):
        row = {"at": at, "rows": rows, "columns": columns, "kind": kind, "extra_at": own}
        made.append({**row, **places})
        at += rows * columns
        own += record.extra(rows, columns, kind) if record and record.extra else 0
    return filled_rows(TENSOR, made)


def settings_of(record: Rule, hyperparameters: Mapping[str, Any], seed: int = 0) -> list[float]:
    """Return the hyperparameters in the order in which its kernel reads them; where it draws, two halves of the seed.

    They are the low and the high 32 bits, which float64 holds exactly. A rule that asks for the product of its momenta
    is told 0 there, of none, until a schedule sets them.
    """
    given = [float(hyperparameters.get(name, default)) for name, default in record.defaults.items()]
    given += [0.0] if getattr(record, "momentum_product", False) else []
    return given + (seed_halves(seed) if getattr(record, "draws", False) else [])


def seed_halves(seed: int) -> list[float]:
    """Return the low and the high 32 bits of a seed."""
    return [float(seed & 0xFFFFFFFF), float(seed >> 32)]
