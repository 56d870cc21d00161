"""What another process tells of a user's file: records without code, by which runs are named, planned and reported.

The file itself is only run in worker processes (`study/workers.py`): whatever it does there cannot reach this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from mlpjit.catalogue.initialization.records import Initializer
from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.extending.files import MODULE, Entry, OwnFile
from mlpjit.kernels.entries import Activation, Stage
from mlpjit.kernels.network.loss_rules import Loss
from mlpjit.kernels.rates import Schedule
from mlpjit.kernels.stages.declare import is_own

RECORDS: dict[str, type[Any]] = {
    "optimizers": Stage, "wrappers": Stage, "clippings": Stage, "activations": Activation, "losses": Loss,
    "initializers": Initializer, "schedules": Schedule,
}  # fmt: skip
# What a record holds of code, which stays where it was read.
CODE = (
    "function", "parts", "scalars", "extra", "extra_scratch", "steepest", "by_parameter", "rescale", "kernel",
    "tangent", "sample",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A file as it was read elsewhere: its entries with their fields, summaries and source hashes, in their order."""

    digest: str
    spaces: Mapping[str, Mapping[str, Any]]
    entries: tuple[Entry, ...]
    records: tuple[dict[str, Any], ...]
    summaries: tuple[str, ...]
    hashes: tuple[str, ...]


@cache
def _told_class(kind: str) -> type[Any]:
    """Return the class of records whose code is elsewhere: they have its source hash, and cannot be run here."""
    record = RECORDS[kind]
    return make_dataclass(
        f"Told{record.__name__}", [("told_hash", str, "")], bases=(record,), frozen=True, eq=False,
        namespace={"source_hash": lambda self: self.told_hash},
    )  # fmt: skip


def tell(file: OwnFile) -> Told:
    """Return what is to be told of a file that this process has loaded."""
    found = [REGISTRIES[kind][name] for kind, name in file.entries]
    records = tuple(
        {each.name: getattr(record, each.name) for each in fields(record) if each.name not in CODE} for record in found
    )
    hashes, summaries = tuple(each.source_hash() for each in found), tuple(each.summary for each in found)
    return Told(file.digest, dict(file.spaces), file.entries, records, summaries, hashes)


def register(path: Path, told: Told) -> OwnFile:
    """Register what was told of a file, in the place of the user's own of the same names; return the file."""
    for (kind, name), values, summary, known in zip(
        told.entries, told.records, told.summaries, told.hashes, strict=True
    ):
        registry = REGISTRIES[kind]
        if name in registry and is_own(registry[name]):
            registry.remove(name)
        registry.register(_told_class(kind)(function=_elsewhere(path, summary), told_hash=known, **values))
    return OwnFile(path, told.digest, told.entries, told.spaces)


def _elsewhere(path: Path, summary: str) -> FunctionType:
    """Return a function of the file's place and docstring that cannot be called."""
    code = compile("def elsewhere(): raise NotImplementedError", str(path.resolve()), "exec")
    found: dict[str, Any] = {"__name__": MODULE}
    exec(code, found)
    function: FunctionType = found["elsewhere"]
    function.__doc__ = summary
    return function
