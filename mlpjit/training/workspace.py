"""The tables and buffers that kernels work on: built once a run, nothing is allocated afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlpjit.catalogue.registries import normalizations
from mlpjit.kernels import tables
from mlpjit.kernels.network.pairs import kept_by_normalization
from mlpjit.kernels.network.residuals import residuals
from mlpjit.kernels.tables import ALPHA, BETA, BIAS, GAMMA, LAYER_COLUMNS, NONE_AT, WEIGHT
from mlpjit.training import linking
from mlpjit.training.shape import ITEM_BYTES, VECTOR, Layer, padded, parameters_of

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
    """The table of layers (int64), the buffer it points into, and where the scratch begins."""

    layers: np.ndarray
    size: int
    scratch_at: int
    widest: int
    running_size: int
    stages_at: list[int]


def _take(at: list[int], count: int, dtype: str) -> int:
    """Reserve `count` numbers, a whole number of vectors; return where they begin."""
    start = at[0]
    at[0] += -(-count // VECTOR[dtype]) * VECTOR[dtype]
    return start


def plan_workspace(
    layers: Sequence[Layer], activations: Sequence[int], rows: int, dtype: str, extra: int = 0,
    stages: Sequence[int] = (),
) -> Workspace:  # fmt: skip
    """Lay out the buffers for `rows` samples at a time; `activations` are addresses, 0 for a linear layer.

    `extra` numbers are reserved behind the scratch of the diagnostics, then the scratch of each stage.
    """
    table = np.full((len(layers), LAYER_COLUMNS), NONE_AT, np.int64)
    at, running = [0], 0
    stride = padded(layers[0].fan_in, dtype)
    source = _take(at, rows * stride, dtype)
    for row, layer, address in zip(table, layers, activations, strict=True):
        row[tables.INPUT_AT], row[tables.INPUT_STRIDE] = source, stride
        stride = padded(layer.fan_out, dtype)
        _layer_row(row, layer, at, rows, dtype)
        row[tables.ACTIVATION] = address
        if normalizations[layer.normalization].running:
            row[tables.RUNNING_AT] = running
            running += 2 * layer.fan_out
        source = int(row[tables.OUTPUT_AT])
    _take_gradients(table, layers, at, rows, dtype)
    widest = max(padded(layer.fan_out, dtype) for layer in layers)
    scratch = _take(at, widest * (1 + 2 * len(layers)) + parameters_of(layers) + extra, dtype)
    stages_at = [_take(at, size, dtype) for size in stages]
    return Workspace(table, at[0], scratch, widest, running, stages_at)


def _take_gradients(table: np.ndarray, layers: Sequence[Layer], at: list[int], rows: int, dtype: str) -> None:
    """Keep dL/da where it is needed: by learned activations, and all the way through a network with skips.

    The loss leaves that of the outputs at their place.
    """
    skips = any(layer.residual != "none" for layer in layers)
    for row, layer in zip(table[:-1], layers[:-1], strict=True):
        if skips or layer.alpha_at is not None:
            row[tables.GRADIENT_AT] = _take(at, rows * int(row[tables.STRIDE]), dtype)
    if layers[-1].alpha_at is not None:
        table[-1, tables.GRADIENT_AT] = table[-1, tables.OUTPUT_AT]


def masks_of(table: np.ndarray, rows: int, dtype: str) -> list[np.ndarray]:
    """Return a matrix of ones (rows, stride) for each hidden layer, and put its address into the table."""
    found = []
    for row in table[:-1]:
        stride = int(row[tables.STRIDE])
        found.append(aligned(rows * stride, dtype).reshape(rows, stride))
        found[-1][:] = 1.0
        row[tables.MASK] = found[-1].ctypes.data
    return found


def _layer_row(row: np.ndarray, layer: Layer, at: list[int], rows: int, dtype: str) -> None:
    lanes, stride = VECTOR[dtype], padded(layer.fan_out, dtype)
    row[tables.FAN_IN], row[tables.FAN_OUT], row[tables.STRIDE] = layer.fan_in, layer.fan_out, stride
    row[tables.WEIGHT_AT], row[tables.BIAS_AT] = layer.weight_at, layer.bias_at
    row[tables.OUTPUT_AT], row[tables.SLOPE_AT] = (_take(at, rows * stride, dtype) for _ in range(2))
    wide = -(-layer.fan_out // lanes) * lanes
    reweighs = normalizations[layer.normalization].acts[0] is not None
    if layer.fan_out > DIRECT_WIDTH or reweighs:
        row[tables.PANELS_AT] = _take(at, layer.fan_in * wide, dtype)
    row[tables.TRANSPOSED_AT] = _take(at, layer.fan_out * -(-layer.fan_in // lanes) * lanes, dtype)
    row[tables.REWEIGH : tables.REWEIGH_BACK + 1] = linking.normalization(layer.normalization, dtype)
    for name, place in (("gamma", tables.GAMMA_AT), ("beta", tables.BETA_AT), ("alpha", tables.ALPHA_AT)):
        row[place] = layer.tensors().get(name, (NONE_AT,))[0]
    row[tables.RESIDUAL], row[tables.MASK] = residuals[layer.residual].place, 0
    if layer.alpha_at is not None:
        row[tables.LEARNED_AT] = _take(at, rows * stride, dtype)
    if layer.normalization != "none":
        kept = kept_by_normalization(row, rows)
        row[tables.NORMALIZED_AT], row[tables.INVERSE_AT] = (_take(at, count, dtype) for count in kept)
    if reweighs:
        row[tables.EFFECTIVE_AT] = _take(at, layer.fan_in * layer.fan_out, dtype)
