"""Arrays x and y from a user's .npz file. Nothing is ever unpickled."""

from __future__ import annotations

import struct
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.targets import Table
from mlpjit.errors import DatasetError

# The header of an array is a Python literal, which NumPy evaluates: what is none fails in as many ways.
UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError, MemoryError,
    SyntaxError, tokenize.TokenError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
Array = npt.NDArray[Any]


def read(path: str, target: str | int | None) -> Table:
    """Read x (n, d), also named X, and y (n,) or (n, k). Raises DatasetError with one line."""
    label = f"dataset {path!r}"
    if target is not None:
        raise DatasetError(f"{label}: target= is for .csv files; a .npz file holds the target as 'y'")
    x, y = _arrays(label, Path(path).expanduser())
    check_shapes(label, x, y)
    x = numbers_of(label, "x", x)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    y = texts_of(y) if y.dtype.kind in "US" else numbers_of(label, "y", y)
    return Table(label, x, y, _place)


def _arrays(label: str, path: Path) -> tuple[Array, Array]:
    # Opened here: where numpy.load opens a damaged archive itself, it leaves the file open.
    try:
        with open(path, "rb") as file:
            _check_kind(label, file.read(6))
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return _member(label, archive, ("x", "X")), _member(label, archive, ("y", "Y"))
    except UNREADABLE as error:
        raise DatasetError(f"{label}: not a readable .npz file ({_line(error)})") from None


def _check_kind(label: str, start: bytes) -> None:
    if not start:
        raise DatasetError(f"{label}: the file is empty")
    if start == b"\x93NUMPY":
        raise DatasetError(f"{label}: one bare array, not an .npz file; use numpy.savez(path, x=x, y=y)")
    if not start.startswith(b"PK"):
        raise DatasetError(f"{label}: not a readable .npz file (it is no zip archive)")


def _member(label: str, archive: Any, names: tuple[str, ...]) -> Array:
    for name in names:
        if name in archive.files:
            try:
                with warnings.catch_warnings(action="ignore"):  # of sizes that overflow: they fail next
                    return np.asarray(archive[name])
            except UNREADABLE as error:
                pickled = "allow_pickle" in str(error)
                why = "it holds Python objects, which are never loaded" if pickled else _line(error)
                raise DatasetError(f"{label}: cannot read array {name!r} ({why})") from None
    held = ", ".join(map(repr, archive.files)) or "nothing"
    raise DatasetError(f"{label}: no array {names[0]!r} (the file holds {held}); need 'x' and 'y'")


def check_shapes(label: str, x: Array, y: Array) -> None:
    """Raise DatasetError unless x is (samples, inputs) and y has as many samples, at least one."""
    if x.ndim != 2 or x.shape[1] == 0:
        hint = {0: "", 1: "; one column: x[:, None]", 2: ""}.get(x.ndim, "; images: x.reshape(len(x), -1)")
        raise DatasetError(f"{label}: x has shape {x.shape}, need (samples, inputs){hint}")
    if y.ndim not in (1, 2) or y.shape[1:] == (0,):
        raise DatasetError(f"{label}: y has shape {y.shape}, need (samples,) or (samples, outputs)")
    if len(x) != len(y):
        raise DatasetError(f"{label}: x has {len(x)} samples and y has {len(y)}, need as many")
    if len(x) == 0:
        raise DatasetError(f"{label}: no samples")


def numbers_of(label: str, name: str, values: Array) -> Array:
    """Return numbers as float64; DatasetError for texts, objects, and what is not finite."""
    if values.dtype.kind not in "biuf":
        kind = "text" if values.dtype.kind in "US" else f"values of type {values.dtype}"
        raise DatasetError(f"{label}: {name} holds {kind} (first: {str(values.flat[0])!r}), need numbers")
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(values, dtype=np.float64)
    _check_finite(label, name, numbers)
    return numbers


def texts_of(values: Array) -> Array:
    """Return texts, bytes read as UTF-8."""
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _check_finite(label: str, name: str, values: Array) -> None:
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, *column = wrong[0].tolist()
        where = f"{name}, {_place(row)}" + (f", column {column[0] + 1}" if column else "")
        more = f" ({len(wrong)} such values)" if len(wrong) > 1 else ""
        raise DatasetError(f"{label}: {values[tuple(wrong[0])]} in {where}{more}; need finite numbers")


def _place(row: int) -> str:
    return f"row {row + 1}"


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
