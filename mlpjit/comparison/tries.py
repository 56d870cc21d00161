"""What was tried on a study, and what came of it: kept in its store until it is to be forgotten.

Of twenty tries with nothing in them one is "better" at 5 %: a reader must see all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.store import Store
from mlpjit.store.notes import TRIES


@dataclass(frozen=True)
class Try:
    """One newcomer as it was tried.

    `name` is the competitor's, made with `optimizer`, or with what else was tried. `version` changes with its file,
    what it was tuned on, and the study; `settings` counts the settings that each competitor was tuned over on a
    problem; `best` holds by problem what its best setting was, as far as that varies; `family` says what Holm corrected
    over; `verdicts` has a record for each rival and problem (`study.pairs.Judged.record`).
    """

    name: str
    optimizer: str
    version: str
    study: str
    ended_at: str
    settings: Mapping[str, int]
    best: Mapping[str, Mapping[str, Any]]
    cap: int
    margin: float | None
    family: str
    verdicts: Sequence[Mapping[str, Any]]

    @property
    def uneven(self) -> dict[str, int]:
        """The rivals that were tuned over more or fewer settings than the newcomers, with how many."""
        own = {self.settings[record["competitor"]] for record in self.verdicts}
        rivals = {record["control"]: self.settings[record["control"]] for record in self.verdicts}
        return {name: count for name, count in rivals.items() if {count} != own}

    def says_the_same(self, other: Try) -> bool:
        """Whether nothing but the date differs."""
        return {**asdict(self), "ended_at": ""} == {**asdict(other), "ended_at": ""}


def tries(store: Store) -> list[Try]:
    """Return every try that a store keeps, the oldest first."""
    return read(store.note(TRIES))


def read(note: Sequence[Mapping[str, Any]] | None) -> list[Try]:
    """Return the tries of a note; what another version wrote otherwise is left out."""
    names = {field.name for field in fields(Try)}
    return [Try(**record) for record in note or () if set(record) == names]


def keep(store: Store, made: Sequence[Try]) -> None:
    """Add tries, each in the place of what was kept of it before; the store must be open for writing."""
    known = {(one.name, one.version): one for one in tries(store)}
    known |= {(one.name, one.version): one for one in made}
    store.put_note(TRIES, [asdict(one) for one in known.values()])


def forget(store: Store, name: str) -> int:
    """Remove all tries of a name and return how many there were. Raises ConfigError where there are none."""
    known = tries(store)
    left = [one for one in known if one.optimizer != name]
    if len(left) == len(known):
        names = list(dict.fromkeys(one.optimizer for one in known))
        raise ConfigError(f"no try of {name!r} is kept in {store.path.parent}{suggestion(name, names)}")
    store.put_note(TRIES, [asdict(one) for one in left])
    return len(known) - len(left)
