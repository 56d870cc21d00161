"""Runs as they are kept, in a store or in exported tables: what each was made of, its numbers, another id for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from mlpjit.config.fields import FACTORS
from mlpjit.config.identity import source_hash
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, DatasetError, StoreError
from mlpjit.files import replacing
from mlpjit.report.export import TABLE, as_text, exported_alone, read_table, table_in, write_csv
from mlpjit.store import Store, adoption
from mlpjit.store.database import FILE_NAME
from mlpjit.store.schema import COUNTS, METRICS, READ
from mlpjit.study.finals import final_runs
from mlpjit.study.own_sources import sources
from mlpjit.study.study import Study

NUMBERS = (*METRICS, *COUNTS)
NOTE = "adopted.json"
FINISHED = ("done", "diverged")
Note = Callable[[int], Mapping[str, Any]]  # from how many runs took other ids, what is noted of it


@dataclass(frozen=True)
class Kept:
    """A run as it is kept: its config, or why there is none; its state and numbers as texts; its curves by name."""

    run_id: str
    config: RunConfig | None
    problem: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)


class Place(Protocol):
    """Where runs are kept."""

    @property
    def run_ids(self) -> Sequence[str]:
        """The ids of all of them."""
        ...

    def kept(self, run_id: str) -> Kept:
        """Return one run."""
        ...

    def adopt(self, configs: Mapping[str, RunConfig], note: Note) -> int:
        """Give runs, by the ids they have, those of their configs under the present code; return how many took them."""
        ...


def own_code(directory: Path) -> dict[str, str]:
    """Return by the names that it declares each file of own code that a store keeps; nothing of exported tables."""
    if exported_alone(directory):
        return {}
    with Store.open(directory, readonly=True) as store:
        return {name: each["file"] for each in sources(store) for name in each["names"]}


def edited_since(directory: Path, given: Sequence[Path]) -> list[str]:
    """Return the names of given files of which a store keeps another text, with which some of its runs were made."""
    if exported_alone(directory):
        return []
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in given}
    names = {path.name for path in given}
    with Store.open(directory, readonly=True) as store:
        others = [each["file"] for each in sources(store) if each["file"] in names and each["sha256"] not in digests]
    return list(dict.fromkeys(others))


def needed_names(problem: str, own: Iterable[str]) -> list[str]:
    """Return the names of own code for want of which a run cannot be made, from what is told of it."""
    return [name for name in own if f" {name!r}" in problem]


def hashes_of(config: RunConfig) -> dict[str, str]:
    """Return what a row tells of code and data, as the present code would write it."""
    return {"source_hash": source_hash(config.__dict__)[:16], "data_hash": config.data.data_hash[:16]}


class StoredRuns:
    """The runs of a store that have a result, those of its plan first."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME if directory.is_dir() else directory
        with Store.open(self.path, readonly=True) as store:
            self.run_ids = adoption.finished(store, FINISHED)

    def kept(self, run_id: str) -> Kept:
        """Return one run."""
        with Store.open(self.path, readonly=True) as store:
            row, curves = adoption.row(store, run_id, ("config", "state", *NUMBERS))
        texts = {name: as_text(name, row[name]) for name in ("state", *NUMBERS)}
        try:
            return Kept(run_id, RunConfig(**json.loads(row["config"])), "", texts, curves)
        except (ConfigError, DatasetError) as error:
            return Kept(run_id, None, " ".join(str(error).split()))

    def adopt(self, configs: Mapping[str, RunConfig], note: Note) -> int:
        """Rename rows, curves and plan in one transaction, and note it."""
        with Store.open(self.path) as store:
            return adoption.adopt(store, {old: (c.run_id, hashes_of(c)) for old, c in configs.items()}, note)


class ExportedRuns:
    """The runs of an exported table, compact or not, in the order of their study's plan; it keeps no curves.

    The folder's name is the study's. Raises StoreError where the table is not of this plan.
    """

    def __init__(self, directory: Path) -> None:
        self.directory, self.table = directory, table_in(directory) or directory / TABLE
        self.rows = read_table(self.table)
        if not self.rows or list(self.rows[0]) != list(READ):
            raise StoreError(f"{self.table}: these are not the columns that `mlpjit export` writes")
        self._places: dict[str, int] = {}
        for place, row in enumerate(self.rows):
            self._places.setdefault(row["run_id"], place)  # a default that is also the best has two rows
        self.run_ids = list(self._places)

    @cached_property
    def configs(self) -> list[RunConfig]:
        """The config of each row, from the plan of the study; the settings of the final stage follow from the rows."""
        study = Study.load(self.directory.resolve().name)
        tuning = [row for row in self.rows if row["stage"] == "tune"]
        if len(tuning) != len(study.runs):
            raise StoreError(f"{self.table}: {len(tuning)} tuning runs, the plan has {len(study.runs)}")
        known = {
            run_id: (row["state"], None, float(row["final_validation_loss"] or "inf"))
            for run_id, row in zip(study.runs.run_ids, tuning, strict=True)
        }
        found = study.configs()
        if study.final:
            per, seeds = study.final["per"], study.final["seeds"]
            final = final_runs(study.runs, known, per, seeds, study.called, study.repetitions)
            for runs in filter(None, (final, study.defaults)):
                found += [runs.config(index) for index in range(len(runs))]
        if len(found) != len(self.rows):
            raise StoreError(f"{self.table}: {len(self.rows)} runs, the plan has {len(found)}")
        return found

    def kept(self, run_id: str) -> Kept:
        """Return one run, if its row describes the run at its place in the plan."""
        place = self._places[run_id]
        row, config = self.rows[place], self.configs[place]
        factors = config.factors()
        other = [name for name in FACTORS if as_text(name, factors[name]) != row[name]]
        if other:
            return Kept(run_id, None, f"the plan has another {' and '.join(other)} at its place")
        return Kept(run_id, config, "", {name: row[name] for name in ("state", *NUMBERS)})

    def adopt(self, configs: Mapping[str, RunConfig], note: Note) -> int:
        """Write the table with other ids and hashes, and a note beside it."""
        for row in self.rows:
            if config := configs.get(row["run_id"]):
                row.update(hashes_of(config), run_id=config.run_id)
        write_csv(self.table, READ, ([row[name] for name in READ] for row in self.rows))
        path = self.directory / NOTE
        with replacing(path) as partial:
            before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
            partial.write_text(json.dumps([*before, note(len(configs))], indent=2) + "\n", encoding="utf-8")
        return len(configs)


def place_of(directory: Path) -> Place:
    """Return the runs that are kept in a folder; StoreError where there are none."""
    if exported_alone(directory):
        return ExportedRuns(directory)
    return StoredRuns(directory)
