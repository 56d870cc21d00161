"""Curves as compact arrays: one row per evaluation, so that many runs join into one array without a loop.

A run's curve is (evaluations, curves) float64; its layer curve (evaluations, layers, layer curves) float32: diagnostics
are read off figures, losses are compared bit for bit. The store keeps beside them what their columns are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.kernels.run.records import LAYER_RECORDS as LAYER_CURVES
from mlpjit.kernels.run.records import RUN_RECORDS as CURVES
from mlpjit.registry import suggestion

WRITTEN_LAYOUT = (CURVES, LAYER_CURVES)


def encode(history: Mapping[str, npt.ArrayLike]) -> tuple[int, bytes, bytes]:
    """Return (layers, curve, layer curve) of a run's history. A record that is missing is stored as NaN.

    Raises ValueError for a record that is not known, or has not the shape of the rest.
    """
    for name in history.keys() - {*CURVES, *LAYER_CURVES}:
        raise ValueError(f"unknown record {name!r}{suggestion(name, (*CURVES, *LAYER_CURVES))}")
    evaluations = len(np.atleast_1d(np.asarray(history.get("epoch", ()))))
    present = {name: np.asarray(history[name]) for name in LAYER_CURVES if name in history}
    if flat := [name for name, array in present.items() if array.ndim != 2]:
        raise ValueError(f"record {flat[0]!r} is of layers: need an array (evaluations, layers)")
    layers = max((array.shape[1] for array in present.values()), default=0)
    records = np.full((1, evaluations, len(CURVES) + layers * len(LAYER_CURVES)), np.nan)
    for column, name in enumerate(CURVES):
        if name in history:
            records[0, :, column] = history[name]
    for column, name in enumerate(LAYER_CURVES, len(CURVES)):
        if name in present:
            records[0, :, column :: len(LAYER_CURVES)] = present[name]
    (curve,), (deep,) = encode_all(records, [evaluations], layers)
    return layers, curve, deep


def encode_all(
    records: npt.NDArray[np.float64], written: Sequence[int], layers: int
) -> tuple[list[bytes], list[bytes]]:  # fmt: skip
    """Return the curves and layer curves of runs with so many rows written of their (evaluations, width) records each.

    A row holds the CURVES, then the LAYER_CURVES of each layer.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # rows that are not written hold anything
        curves, deep = records[:, :, : len(CURVES)].astype("<f8"), records[:, :, len(CURVES) :].astype("<f4")
    sizes = 8 * len(CURVES), 4 * layers * len(LAYER_CURVES)
    most = records.shape[1]
    first, second = (
        [blob[place * most * size : (place * most + rows) * size] for place, rows in enumerate(written)]
        for blob, size in ((curves.tobytes(), sizes[0]), (deep.tobytes(), sizes[1]))
    )
    return first, second


def decode(
    blobs: Sequence[bytes], held: Sequence[Sequence[str]], wanted: Sequence[str], dtype: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """Return all rows (rows, wanted) of many curves, NaN where one lacks a name, and how many rows each has.

    `held` names the columns of each.
    """
    kinds = {names: number for number, names in enumerate(dict.fromkeys(map(tuple, held)))}
    kind = np.array([kinds[tuple(names)] for names in held], np.intp)
    size = np.dtype(dtype).itemsize
    lengths = np.array([len(blob) // (size * len(names)) for blob, names in zip(blobs, held, strict=True)], np.intp)
    rows = np.full((int(lengths.sum()), len(wanted)), np.nan, dtype)
    for names, number in kinds.items():
        joined = b"".join(blob for blob, of in zip(blobs, kind, strict=True) if of == number)
        part = np.frombuffer(joined, dtype).reshape(-1, len(names))
        here = slice(None) if len(kinds) == 1 else np.repeat(kind == number, lengths)
        for column, name in enumerate(wanted):
            if name in names:
                rows[here, column] = part[:, names.index(name)]
    return rows, lengths


def columns(rows: npt.NDArray[Any], names: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
    """Return each column of `rows` under its name; epoch and step as whole numbers."""
    found = {name: np.ascontiguousarray(rows[:, i]) for i, name in enumerate(names)}
    return {name: array.astype(np.int64) if name in ("epoch", "step") else array for name, array in found.items()}
