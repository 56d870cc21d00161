"""From what a configuration says of a dataset, a name or a table, to one checked and hashable source."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpjit.bounds import is_finite
from mlpjit.catalogue.datasets import idxfile
from mlpjit.catalogue.datasets.records import (
    NO_SCALING,
    STANDARDIZE,
    DatasetRecord,
    Parameter,
    Scaling,
    datasets,
    divide_by,
)
from mlpjit.catalogue.datasets.tables import GAPS, named_columns
from mlpjit.catalogue.datasets.variants import VARIANT_DEFAULTS, Variant, variant_of
from mlpjit.errors import DatasetError
from mlpjit.host import regular_file
from mlpjit.registry import suggestion

SUFFIXES = (".npz", ".csv", ".parquet", *idxfile.SUFFIXES)
# The options of a user's file; None: found out from the data, no variant, and the scaling that `default_scaling` names.
FILE_DEFAULTS: dict[str, Parameter | None] = {
    "target": None, "task": None, "scaling": None, "drop": None, "categorical": None, "missing": None,
    **dict.fromkeys(VARIANT_DEFAULTS),
}  # fmt: skip
Spec = str | Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """A dataset that was asked for: name or path, sorted parameters, and for a file its state on disk."""

    name: str
    parameters: tuple[tuple[str, Parameter], ...]
    stamp: tuple[int, ...] = ()

    @property
    def variant(self) -> Variant:
        """What becomes of the training part."""
        return variant_of(self.parameters)

    @property
    def plain(self) -> Source:
        """The same samples as they are, without a variant."""
        own = tuple(item for item in self.parameters if item[0] not in VARIANT_DEFAULTS)
        return Source(self.name, own, self.stamp)

    @property
    def is_file(self) -> bool:
        """Whether the name is the path of a user's file."""
        return is_file(self.name)


def is_file(name: str) -> bool:
    """Return whether a dataset's name is the path of a user's file."""
    return name.lower().endswith(SUFFIXES)


def is_idx(name: str) -> bool:
    """Return whether a file has the format of MNIST."""
    return name.lower().endswith(idxfile.SUFFIXES)


def default_scaling(name: str) -> str | float:
    """Return the scaling of a user's file where none is given: images are bytes, all else is standardized."""
    return 255.0 if is_idx(name) else "standardize"


def resolve(spec: Spec) -> Source:
    """Check a spec and fill in the defaults of a built-in dataset.

    Raises ConfigError for an unknown name, DatasetError for unknown or wrong parameters or a missing file.
    """
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = table.pop("name", None)
    if not isinstance(name, str) or not name:
        raise DatasetError(f"dataset needs a name, got {name!r}")
    if is_file(name):
        parameters = _file_parameters(name, table)
        paths = [name, idxfile.labels_path(name, parameters.get("target"))] if is_idx(name) else [name]  # type: ignore[arg-type]
        return Source(name, tuple(sorted(parameters.items())), sum(map(_stamp, paths), ()))
    if Path(name).suffix or os.sep in name:
        allowed = ".csv, .parquet or .npz, or in ubyte or ubyte.gz for IDX"
        raise DatasetError(f"dataset {name!r}: files must end in {allowed}")
    return Source(name, tuple(sorted(_record_parameters(datasets[name], table).items())))


def canonical(spec: Spec) -> dict[str, Parameter]:
    """Return a spec as one flat table with sorted keys and every default filled in."""
    source = resolve(spec)
    return {"name": source.name, **dict(source.parameters)}


def file_scaling(value: object, label: str) -> Scaling:
    """Return the scaling that a user asked for: "standardize", "none", or a number to divide by."""
    if value == "standardize":
        return STANDARDIZE
    if value == "none":
        return NO_SCALING
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and is_finite(value):
        return divide_by(value)
    allowed = "'standardize', 'none' or a number above 0 to divide by"
    raise DatasetError(f"{label}: scaling = {value!r}, allowed is {allowed}")


def _record_parameters(record: DatasetRecord, given: Mapping[str, Any]) -> dict[str, Parameter]:
    label = f"dataset {record.name!r}"
    problems = _unknown_keys(label, given, record.defaults)
    values: dict[str, Parameter] = {}
    for key, default in record.defaults.items():
        try:
            values[key] = _converted(f"{label}: {key}", given.get(key, default), default)
        except DatasetError as error:
            problems += error.problems
    if problems:
        raise DatasetError(problems)
    _check_variant(label, values)
    if record.shape:
        record.shape(**{key: value for key, value in values.items() if key not in VARIANT_DEFAULTS})
    return values


def _check_variant(label: str, values: Mapping[str, Any]) -> None:
    for key, low, high, allowed in (("imbalance", 1.0, 1e6, "1 to 1e+06"), ("label_noise", 0.0, 1.0, "0 to 1")):
        value = values.get(key, low)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise DatasetError(f"{label}: {key} = {value!r}, allowed is {allowed}")


def _converted(label: str, value: Any, default: Parameter) -> Any:
    if isinstance(default, int) and (isinstance(value, bool) or not isinstance(value, int)):
        raise DatasetError(f"{label} = {value!r}, allowed is a whole number")
    if isinstance(default, float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            raise DatasetError(f"{label} = {value!r}, allowed is a finite number")
        return float(value)
    return value


def _file_parameters(name: str, given: Mapping[str, Any]) -> dict[str, Parameter]:
    label = f"dataset {name!r}"
    problems = _unknown_keys(label, given, FILE_DEFAULTS)
    chosen = {key: value for key, value in given.items() if value is not None}
    try:
        file_scaling(chosen.get("scaling", "standardize"), label)
    except DatasetError as error:
        problems += error.problems
    task = chosen.get("task", "classification")
    if task not in ("classification", "regression"):
        problems.append(f"{label}: task = {task!r}, allowed is 'classification' or 'regression'")
    target = chosen.get("target", "y")
    if isinstance(target, bool) or not isinstance(target, str | int):
        problems.append(f"{label}: target = {target!r}, allowed is a column's name or its number from 1")
    problems += _table_problems(label, chosen)
    try:
        _check_variant(label, chosen)
    except DatasetError as error:
        problems += error.problems
    if problems:
        raise DatasetError(problems)
    return chosen


def _table_problems(label: str, chosen: dict[str, Any]) -> list[str]:
    """Return what is wrong with the options of tables; lists of columns become what a record can hold."""
    problems = []
    for key in ("drop", "categorical"):
        names = named_columns(chosen.get(key, ()))
        if any(isinstance(name, bool) or not isinstance(name, str | int) for name in names):
            problems.append(f"{label}: {key} = {chosen[key]!r}, allowed are columns by name or by number from 1")
        elif names:
            chosen[key] = names[0] if len(names) == 1 else json.dumps(names)
        else:
            chosen.pop(key, None)
    if chosen.get("missing", "fill") not in GAPS:
        problems.append(f"{label}: missing = {chosen['missing']!r}, allowed is 'fill', 'drop' or 'refuse'")
    return problems


def _unknown_keys(label: str, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> list[str]:
    return [
        f"{label}: unknown parameter {key!r}{suggestion(str(key), allowed) if allowed else ' (it has none)'}"
        for key in given
        if key not in allowed
    ]


def _stamp(name: str) -> tuple[int, ...]:
    try:
        state = regular_file(name).stat()
    except OSError as error:
        where = "" if Path(name).is_absolute() else f" (looked in {Path.cwd()})"
        raise DatasetError(f"cannot read dataset {name!r}: {error.strerror}{where}") from None
    return state.st_mtime_ns, state.st_size, state.st_ino
