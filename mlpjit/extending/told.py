"""What another process tells of a user's file: records without code, by which runs are named, planned and reported.

The file itself is only run in worker processes (`study/workers.py`): whatever it does there cannot reach this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import FunctionType
from typing import Any

from mlpjit.catalogue.registries import optimizers
from mlpjit.extending.files import MODULE, OptimizerFile
from mlpjit.kernels.entries import Stage
from mlpjit.kernels.stages.declare import is_own

# What a record holds of code, which stays where it was read.
CODE = ("function", "parts", "scalars", "extra", "extra_scratch")
PLAIN = tuple(field.name for field in fields(Stage) if field.name not in CODE)


@dataclass(frozen=True)
class Told:
    """A file as it was read elsewhere: its optimizers' fields, summaries and source hashes, in their order."""

    digest: str
    spaces: Mapping[str, Mapping[str, Any]]
    records: tuple[dict[str, Any], ...]
    summaries: tuple[str, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ToldStage(Stage):
    """A stage whose code is in other processes: it has their source hash, and cannot be run here."""

    told_hash: str = ""

    def source_hash(self) -> str:
        """Return the hash of the code as the process that read it told."""
        return self.told_hash


def tell(file: OptimizerFile) -> Told:
    """Return what is to be told of a file that this process has loaded."""
    stages = [optimizers[name] for name in file.names]
    records = tuple({name: getattr(stage, name) for name in PLAIN} for stage in stages)
    hashes = tuple(stage.source_hash() for stage in stages)
    return Told(file.digest, dict(file.spaces), records, tuple(stage.summary for stage in stages), hashes)


def register(path: Path, told: Told) -> OptimizerFile:
    """Register what was told of a file, in the place of the user's own of the same names; return the file."""
    for values, summary, source_hash in zip(told.records, told.summaries, told.hashes, strict=True):
        if values["name"] in optimizers and is_own(optimizers[values["name"]]):
            optimizers.remove(values["name"])
        optimizers.register(ToldStage(function=_elsewhere(path, summary), told_hash=source_hash, **values))
    return OptimizerFile(path, told.digest, tuple(values["name"] for values in told.records), told.spaces)


def _elsewhere(path: Path, summary: str) -> FunctionType:
    """Return a function of the file's place and docstring that cannot be called."""
    code = compile("def elsewhere(): raise NotImplementedError", str(path.resolve()), "exec")
    found: dict[str, Any] = {"__name__": MODULE}
    exec(code, found)
    function: FunctionType = found["elsewhere"]
    function.__doc__ = summary
    return function
