"""A model: named arrays and texts that predict by NumPy alone, kept in one file without pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.errors import ConfigError, MlpjitError, shown
from mlpjit.files import replacing
from mlpjit.models import predicting

UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class Model:
    """What a run has learned, with scaling, encodings and names: `predict`, `outputs`, `save`.

    arrays, by name: W0, b0, ... (with a normalization gamma, beta, mean, variance) of each layer; layers (activation,
    normalization and residual of each); x_shift, x_divisor, y_shift, y_divisor; fill, what stands for a missing input;
    classes, columns (JSON: the column, what becomes of it, its categories), target, run_id, config (JSON), version.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = dict(arrays)

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none for regression."""
        return list(self.arrays["classes"].tolist())

    @property
    def run_id(self) -> str:
        """The id of the run that it was learned in."""
        return str(self.arrays["run_id"])

    @property
    def parameters(self) -> int:
        """How many numbers the weights and biases are."""
        return sum(self.arrays[name].size for name in self.arrays if name[0] in "Wb" and name[1:].isdigit())

    def predict(self, x: Any) -> np.ndarray:
        """Return the class of each row (n,), or its number in the target's units (n,), (n, k) of k targets.

        x: inputs (n, inputs), as the data has them, not scaled; or, where it was learned from a table, a frame or a
        dict of columns. Raises ConfigError for another shape.
        """
        return predicting.predict(self.arrays, self._inputs(x))

    def outputs(self, x: Any) -> np.ndarray:
        """Return the network's outputs (n, outputs): logits for cross_entropy, scaled targets of a regression."""
        return predicting.outputs(self.arrays, self._inputs(x))

    def _inputs(self, x: Any) -> np.ndarray:
        if len(self.arrays["columns"]) and (isinstance(x, Mapping) or hasattr(x, "iloc")):
            return self._encoded(x)
        made, inputs = np.asarray(x, np.float64), len(self.arrays["x_shift"])
        if made.ndim != 2 or made.shape[1] != inputs:
            raise ConfigError(f"x: got shape {made.shape}, need (n, {inputs})")
        return made

    def _encoded(self, table: Any) -> np.ndarray:
        try:
            return predicting.encode(self.arrays, table)
        except KeyError as error:
            raise ConfigError(f"the table has no column {error}") from None
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def save(self, path: Path | str) -> Path:
        """Write the arrays to a .npz file and return its path. Raises StoreError where it cannot be written."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ConfigError(f"{path}: a model is a file that ends in .npz")
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.arrays)
        return path

    def __repr__(self) -> str:
        sizes = [len(self.arrays["x_shift"]), *(len(self.arrays[f"b{i}"]) for i in range(len(self.arrays["layers"])))]
        what = f"{len(self.classes)} classes" if self.classes else "regression"
        target = str(self.arrays["target"])
        shape = "-".join(map(str, sizes))
        return f"Model of run {self.run_id}: {shape}, {what}" + (f", target {target!r}" if target else "")


def load(path: Path | str) -> Model:
    """Return the model that a file holds; nothing is unpickled. Raises MlpjitError where it holds none."""
    if not isinstance(path, str | Path):
        raise ConfigError(f"got {shown(path)}, need the path of a model")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        raise MlpjitError(f"{path}: not a readable model ({' '.join(str(error).split())[:200]})") from None
    if not {"layers", "W0", "x_shift", "classes"} <= set(arrays):
        raise MlpjitError(f"{path}: a .npz file, but no model of mlpjit")
    return Model(arrays)
