"""What goes to a worker and what comes back: pickles made here, which Dask passes on unread."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mlpjit import __version__
from mlpjit.config.code_hash import own_hashes
from mlpjit.config.run_config import RunConfig
from mlpjit.host import package_versions
from mlpjit.kernels.sources import check_unchanged, digest
from mlpjit.training.result import Results

AGREED = ("numba", "llvmlite", "numpy")  # packages whose versions must be the same everywhere


@dataclass(frozen=True)
class Question:
    """What a worker is asked before it makes runs: the versions that it must have, and runs to prepare for."""

    versions: Mapping[str, str]
    configs: Sequence[RunConfig]


class Made(NamedTuple):
    """Runs that ended in one way, by their index: see `study.pool.Ended`."""

    indices: list[int]
    started_at: Sequence[str]
    finished_at: Sequence[str]
    results: Results | None
    error: str | None


class Answer(NamedTuple):
    """What came of a chunk: when its first run began, in seconds since 1970, and the seconds until the last ended.

    `cpu_seconds` are those of the thread that made the runs, `process_seconds` the clock of its process then.
    """

    made: list[Made]
    began: float
    seconds: float
    cpu_seconds: float = 0.0
    process_seconds: float = 0.0


class Admission(NamedTuple):
    """What a worker answers: why it cannot make runs, nothing when it can; the machine that it is on."""

    problems: list[str]
    machine: Mapping[str, Any]


def versions() -> dict[str, str]:
    """Return what runs on two machines must have in common; MlpjitError where the code changed under this process."""
    check_unchanged()
    found = package_versions()
    code = digest(f"{name} {value}" for name, value in sorted(own_hashes().items()))[:16]
    return {"mlpjit": f"{__version__} (code {code})"} | {name: found.get(name, "none") for name in AGREED}


def packed(value: Any) -> bytes:
    """Return the pickle of something."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpacked(text: bytes) -> Any:
    """Return what was packed."""
    return pickle.loads(text)
