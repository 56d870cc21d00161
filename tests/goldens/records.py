"""Golden values: results that other people's code computed, stored small, with its name and version.

One file a kind of catalogue entry (`optimizers.npz`, ...), made by `make_<kind>.py`. A file holds a table of cases and
the arrays that the cases share and own. What ours makes of the same input stands in `ours.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Golden:
    """One entry at one setting, as an outside code computed it.

    entry: name in the catalogue; settings: our parameters beside the defaults; oracle: what was called, with its
    package and version; given: what else the comparison needs (a rate); tolerance: on the difference over
    max(1, largest golden value), 1e-10 unless a reason is given in `note`.
    """

    entry: str
    settings: dict[str, Any]
    oracle: str
    package: str
    version: str
    arrays: Arrays
    given: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-10
    note: str = ""

    @property
    def title(self) -> str:
        """A name for tests: entry, settings, oracle's package."""
        given = ",".join(f"{k}={v}" for k, v in {**self.settings, **self.given}.items())
        return f"{self.entry}({given})-{self.package}"


def golden(entry: str, settings: dict[str, Any], oracle: str, arrays: Arrays, **rest: Any) -> Golden:
    """Return a case with the version of the package that the oracle's name begins with, or of `package`."""
    package = rest.pop("package", oracle.partition(".")[0])
    return Golden(entry, settings, oracle, package, version(package), arrays, **rest)


def save(kind: str, cases: Iterable[Golden], shared: Arrays, folder: Path = FOLDER) -> Path:
    """Write a file of cases; `shared` holds the inputs that all of them were given."""
    arrays, table = {f"shared/{name}": values for name, values in shared.items()}, []
    for number, case in enumerate(cases):
        arrays |= {f"{number}/{name}": values for name, values in case.arrays.items()}
        table.append({name: value for name, value in vars(case).items() if name != "arrays"})
    path = folder / f"{kind}.npz"
    np.savez_compressed(path, table=np.array(json.dumps(table)), **arrays)
    return path


def load(kind: str, folder: Path = FOLDER) -> tuple[list[Golden], Arrays]:
    """Return the cases of a kind and the inputs they share."""
    with np.load(folder / f"{kind}.npz") as file:
        own: dict[str, Arrays] = {}
        for key in file.files:
            group, _, name = key.partition("/")
            own.setdefault(group, {})[name] = file[key]
    rows = json.loads(str(own["table"][""]))
    return [Golden(arrays=own.get(str(i), {}), **row) for i, row in enumerate(rows)], own.get("shared", {})


def difference(found: Arrays, wanted: Arrays) -> float:
    """Return the largest difference over max(1, largest wanted value); inf where shapes or names differ, or for NaN."""
    if found.keys() != wanted.keys():
        return float("inf")
    worst = 0.0
    for name, values in wanted.items():
        got = np.asarray(found[name], values.dtype)
        if got.shape != values.shape:
            return float("inf")
        gap = float(np.max(np.abs(got - values), initial=0.0)) / max(1.0, float(np.max(np.abs(values), initial=0.0)))
        worst = max(worst, gap) if gap == gap else float("inf")
    return worst
