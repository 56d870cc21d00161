"""The files of the user's own that a study was run on: named, hashed, and included where that is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpjit.bundle.format import DATA, fitting
from mlpjit.catalogue.datasets import describe, idxfile
from mlpjit.catalogue.datasets.specs import is_file, is_idx
from mlpjit.config.memory import in_memory
from mlpjit.errors import ConfigError, DatasetError

Blocks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class OwnData:
    """Data of the user's own. `places` has by its path each file's name in a bundle, of data in memory nothing.

    `state` is "as it was run", or what is wrong with it now.
    """

    name: str
    places: Mapping[str, str]
    state: str

    @property
    def is_whole(self) -> bool:
        """Whether what the study was run on lies there."""
        return self.state == AS_RUN

    def record(self, included: bool) -> dict[str, Any]:
        """Return it as plain data."""
        files = [
            {"file": place, "sha256": _digest(Path(path)) if self.is_whole else None}
            for path, place in self.places.items()
        ]
        return {"name": Path(self.name).name, "files": files, "state": self.state, "included": included}


AS_RUN = "as it was run"


def own_data(blocks: Blocks, hashes: set[str]) -> list[OwnData]:
    """Return the own data of a study's blocks; `hashes` are those of the data that its runs were made on."""
    found: dict[str, OwnData] = {}
    for spec in _specs(blocks):
        name = str(spec["name"])
        if in_memory(name):
            found[name] = OwnData(name, {}, "was in the memory of a process")
        elif is_file(name):
            before = found.get(name)
            places = dict(before.places) if before else {}
            for path in _paths(name, spec):
                places.setdefault(path, _place(path, [p for each in found.values() for p in each.places.values()]))
            state = _state(spec, hashes)
            found[name] = OwnData(name, places, state if before is None or before.is_whole else before.state)
    return list(found.values())


def included(found: Sequence[OwnData]) -> dict[str, Path]:
    """Return the files by their names in a bundle. Raises ConfigError where data are not what was run."""
    if wrong := [f"--with-data: {each.name}: {each.state}" for each in found if not each.is_whole]:
        raise ConfigError(wrong)
    return {place: Path(path) for each in found for path, place in each.places.items()}


def placed(blocks: Blocks, found: Sequence[OwnData]) -> list[dict[str, Any]]:
    """Return blocks whose files are those of a bundle."""
    places = {path: place for each in found for path, place in each.places.items()}
    return [
        {**block, **{part: _replaced(block[part], places) for part in ("fixed", "axes") if part in block}}
        for block in blocks
    ]


def _replaced(values: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    given = values.get("dataset")
    if given is None:
        return dict(values)
    new = [_moved(spec, places) for spec in given] if isinstance(given, list) else _moved(given, places)
    return {**values, "dataset": new}


def _moved(spec: Any, places: Mapping[str, str]) -> Any:
    if isinstance(spec, str):
        return places.get(spec, spec)
    moved = {key: places.get(value, value) for key, value in spec.items() if isinstance(value, str)}
    return {**spec, **{key: moved[key] for key in ("name", "target") if key in moved}}


def _specs(blocks: Blocks) -> Iterator[Mapping[str, Any]]:
    for block in blocks:
        given = [block["fixed"].get("dataset"), *block["axes"].get("dataset", [])]
        yield from ({"name": each} if isinstance(each, str) else each for each in given if each is not None)


def _paths(name: str, spec: Mapping[str, Any]) -> list[str]:
    return [name, idxfile.labels_path(name, spec.get("target"))] if is_idx(name) else [name]


def _place(path: str, taken: Sequence[str]) -> str:
    """Return a name in a bundle that no other file has."""
    name = fitting(Path(path).name)
    tries = (f"{DATA}/{number or ''}{'_' if number else ''}{name}" for number in range(len(taken) + 1))
    return next(place for place in tries if place not in taken)


def _state(spec: Mapping[str, Any], hashes: set[str]) -> str:
    try:
        same = any(describe(spec).data_hash.startswith(each) for each in hashes)
    except (DatasetError, OSError) as error:
        return " ".join(str(error).split())
    return AS_RUN if same else "has changed since it was run"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
