"""The tables and buffers that kernels work on: built once a run, nothing is allocated afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlpjit.catalogue.registries import normalizations, residuals
from mlpjit.kernels.network.pairs import kept_by_normalization
from mlpjit.kernels.tables import ALPHA, BETA, BIAS, GAMMA, LAYER, NONE_AT, WEIGHT, filled_rows
from mlpjit.training import linking
from mlpjit.training.shape import ITEM_BYTES, VECTOR, Layer, padded, parameters_of

COLUMNS = {"W": "weight_at", "b": "bias_at", "gamma": "gamma_at", "beta": "beta_at", "alpha": "alpha_at"}
EPS = np.array([1e-5])  # of normalizations
NOWHERE = {name: NONE_AT for name in LAYER._fields if name.endswith("_at")}
KINDS = {"W": WEIGHT, "b": BIAS, "gamma": GAMMA, "beta": BETA, "alpha": ALPHA}
# The widest layer whose W the forward product reads in place. Copying to panels first pays above it only: batch 64,
# AMD Zen 4, in place against panels and their copy, us: 256 wide 73 and 77, 512 291 and 325, 1024 1605 and 1411.
DIRECT_WIDTH = 512
PAGE, LINE = 4096, 64
STAGGER = 25 * LINE  # near 0.382 of a page, the golden section
_made = itertools.count()


def aligned(count: int, dtype: str) -> np.ndarray:
    """Return zeros that begin at a 64-byte boundary, with a vector to spare behind them.

    Any five arrays in a row of a page or more begin at places in the page that are far apart: where two that a loop
    goes through lie nearly a multiple of a page apart, loads wait for stores that only look like theirs. (The states of
    an optimizer lie in one array, as far apart as there are parameters.)
    """
    item = ITEM_BYTES.get(dtype, 8)
    apart = count * item >= PAGE
    raw = np.zeros((count + VECTOR.get(dtype, 8)) * item + (PAGE if apart else LINE), np.uint8)
    start = (next(_made) * STAGGER - raw.ctypes.data) % PAGE if apart else -raw.ctypes.data % LINE
    made: np.ndarray = raw[start : start + count * item].view(dtype)
    return made


def tensors_of_layers(layers: Sequence[Layer]) -> list[tuple[int, int, int]]:
    """Return (rows, columns, kind) of every tensor in the order of the packed buffer; vectors have one row."""
    named = [(name, shape) for layer in layers for name, (_, shape) in layer.tensors().items()]
    return [(*(shape if len(shape) == 2 else (1, shape[0])), KINDS[name]) for name, shape in named]


@dataclass
class Workspace:
    """The table of layers (int64), and how the buffer is divided that it points into.

    places: by the names of the plan, where the parts begin that belong to no layer. stages_at: the scratch of each
    stage.
    """

    layers: np.ndarray
    size: int
    widest: int
    running_size: int
    places: dict[str, int]
    stages_at: list[int]


class _Reserved:
    """Parts of a buffer one behind the other, a whole number of vectors each."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.size = dtype, 0

    def take(self, count: int) -> int:
        """Reserve `count` numbers; return where they begin."""
        start = self.size
        self.size += _whole(count, self.dtype)
        return start


def _whole(count: int, dtype: str) -> int:
    """Return a count, rounded up to whole vectors."""
    return -(-count // VECTOR[dtype]) * VECTOR[dtype]


def plan_workspace(
    layers: Sequence[Layer], activations: Sequence[int], rows: int, dtype: str, targets: int = 0,
    stages: Sequence[int] = (),
) -> Workspace:  # fmt: skip
    """Lay out the buffers for `rows` samples at a time; `activations` are addresses, 0 for a linear layer.

    `targets` numbers are reserved for the targets of a batch, then the scratch of each stage.
    """
    reserved, made, running = _Reserved(dtype), [], 0
    stride = padded(layers[0].fan_in, dtype)
    source = reserved.take(rows * stride)
    for layer, address in zip(layers, activations, strict=True):
        row = _layer_row(layer, reserved, rows, dtype) | {"activation": address}
        row |= {"input_at": source, "input_stride": stride}
        if normalizations[layer.normalization].running:
            row["running_at"] = running
            running += 2 * layer.fan_out
        source, stride = row["output_at"], row["stride"]
        made.append(row)
    table = filled_rows(LAYER, made)
    _take_gradients(table, layers, reserved, rows)
    widest = max(padded(layer.fan_out, dtype) for layer in layers)
    parts = {
        "ones_at": widest, "peaks_at": len(layers) * widest, "saturated_at": len(layers) * widest,
        "kept_at": parameters_of(layers), "spare_at": max(layer.fan_in * layer.fan_out for layer in layers),
        "targets_at": targets,
    }  # fmt: skip
    places = {name: reserved.take(count) for name, count in parts.items()}
    stages_at = [reserved.take(size) for size in stages]
    return Workspace(table, reserved.size, widest, running, places, stages_at)


def _take_gradients(table: np.ndarray, layers: Sequence[Layer], reserved: _Reserved, rows: int) -> None:
    """Keep dL/da where it is needed: by learned activations, and all the way through a network with skips.

    The loss leaves that of the outputs at their place.
    """
    skips = any(layer.residual != "none" for layer in layers)
    for row, layer in zip(table[:-1], layers[:-1], strict=True):
        if skips or layer.alpha_at is not None:
            row[LAYER.gradient_at] = reserved.take(rows * int(row[LAYER.stride]))
    if layers[-1].alpha_at is not None:
        table[-1, LAYER.gradient_at] = table[-1, LAYER.output_at]


def _layer_row(layer: Layer, reserved: _Reserved, rows: int, dtype: str) -> dict[str, Any]:
    """Return a layer's row but for what depends on the others, and reserve what it keeps."""
    stride, take = padded(layer.fan_out, dtype), reserved.take
    acts = linking.normalization(layer.normalization, dtype)
    places = NOWHERE | {"output_at": take(rows * stride), "slope_at": take(rows * stride)}
    if layer.fan_out > DIRECT_WIDTH or acts["reweigh"]:
        places["panels_at"] = take(layer.fan_in * _whole(layer.fan_out, dtype))
    places["transposed_at"] = take(layer.fan_out * _whole(layer.fan_in, dtype))
    if layer.alpha_at is not None:
        places["learned_at"] = take(rows * stride)
    if layer.normalization != "none":
        kept = kept_by_normalization(rows, layer.fan_out, stride)
        places |= {"normalized_at": take(kept[0]), "inverse_at": take(kept[1])}
    if acts["reweigh"]:
        places["effective_at"] = take(layer.fan_in * layer.fan_out)
    tensors = {COLUMNS[name]: at for name, (at, _) in layer.tensors().items()}
    sizes = {"fan_in": layer.fan_in, "fan_out": layer.fan_out, "stride": stride, "eps": EPS}
    return {**places, **tensors, **sizes, **acts, "residual": residuals[layer.residual].place, "mask": 0}


def masks_of(table: np.ndarray, rows: int, dtype: str) -> list[np.ndarray]:
    """Return a matrix of ones (rows, stride) for each hidden layer, and put its address into the table."""
    found = []
    for row in table[:-1]:
        stride = int(row[LAYER.stride])
        found.append(aligned(rows * stride, dtype).reshape(rows, stride))
        found[-1][:] = 1.0
        row[LAYER.mask] = found[-1].ctypes.data
    return found
