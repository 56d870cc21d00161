"""Configs that differ in their rate and seeds alone: one of them, and the rates and seeds of all, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, overload

from mlpjit.config.run_config import NOTHING_ELSE, RunConfig
from mlpjit.config.setting import OPEN

Own = Sequence[Any]  # the rate and seeds of a config, in the order of OPEN
_own = itemgetter(*OPEN)


def own_of(config: RunConfig) -> Own:
    """Return the rate and seeds of a config."""
    return _own(config.__dict__)


def with_own(like: RunConfig, own: Own) -> RunConfig:
    """Return a config with this rate and these seeds, and for all else the very objects of another."""
    values = {name: value for name, value in like.__dict__.items() if name != "run_id"}
    config = RunConfig.__new__(RunConfig)
    given = {**values, **dict(zip(OPEN, own, strict=True))}
    for name, value in (("dict", given), ("pydantic_fields_set", set(like.model_fields_set)), *NOTHING_ELSE):
        object.__setattr__(config, f"__{name}__", value)
    return config


class Alike(Sequence[RunConfig]):
    """Configs like one, each made when it is asked for: of thousands of small runs, most never are."""

    def __init__(self, like: RunConfig, own: Sequence[Own]) -> None:
        self.like, self._own = like, own

    def __len__(self) -> int:
        return len(self._own)

    @overload
    def __getitem__(self, place: int) -> RunConfig: ...
    @overload
    def __getitem__(self, place: slice) -> Alike: ...
    def __getitem__(self, place: int | slice) -> RunConfig | Alike:
        """Return one of them, or some."""
        if isinstance(place, slice):
            return Alike(self.like, self._own[place])
        return with_own(self.like, self._own[place])

    @property
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """Their rates and seeds, by field."""
        return dict(zip(OPEN, zip(*self._own, strict=True), strict=True))
