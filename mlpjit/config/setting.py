"""What configs share that differ in their rate and seeds alone: canonical form, factors, code. Made once for all.

A study's runs hold the very same objects, so these are what a setting is found by: no two values that only compare
equal, as 0.0 and -0.0 do, are taken for each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

from mlpjit.config import fields, identity
from mlpjit.registry import forgetting

# The fields that a setting leaves open, in the order of the canonical form.
OPEN = ("init_seed", "learning_rate", "order_seed", "seed", "split_seed")
REST = tuple(sorted({name for part in fields.PARTS.values() for name in part.fields} - {*OPEN, *fields.SHAPE_FIELDS}))
MOST = 4096
_rest = itemgetter(*REST)
_settings: dict[tuple[Any, ...], Setting] = {}
forgetting.append(_settings.clear)


class Setting:
    """All that can be said of a config but for its rate and seeds."""

    def __init__(self, values: fields.Values) -> None:
        self._values = dict(values)  # found by their places in memory, which nothing else may take
        self._canonical, self._factors = fields.canonical(values), fields.factors(values)
        self._lists = [name for name, value in self._canonical.items() if isinstance(value, list)]
        self._pieces = [""]  # of the text, between the values of the fields that are open
        for name, value in self._canonical.items():
            self._pieces[-1] += "," if self._pieces != [""] else "{"
            if name in OPEN:
                self._pieces[-1] += f"{json.dumps(name)}:"
                self._pieces.append("")
            else:
                self._pieces[-1] += identity.json_part(name, value)
        self._pieces[-1] += "}"

    @cached_property
    def source_hash(self) -> str:
        """The hash of the code that a run with this setting uses."""
        return identity.source_hash(self._values)

    def canonical(self, values: fields.Values) -> dict[str, Any]:
        """Return the canonical form of a config with this setting."""
        lists = {name: list(self._canonical[name]) for name in self._lists}
        return self._canonical | {name: values[name] for name in OPEN} | lists

    def factors(self, values: fields.Values) -> dict[str, Any]:
        """Return the flat columns of a config with this setting."""
        return self._factors | {name: values[name] for name in OPEN}

    def text(self, values: fields.Values) -> str:
        """Return the canonical form as JSON."""
        (text,) = self.texts({name: [values[name]] for name in OPEN})
        return text

    def texts(self, columns: Mapping[str, Sequence[Any]]) -> list[str]:
        """Return the canonical forms of configs with this setting as JSON, from the columns of what it leaves open."""
        told = []
        for name, piece in zip(OPEN, self._pieces, strict=False):  # many share a rate or a seed
            texts = {value: f"{piece}{value!r}" for value in set(columns[name])}
            told.append([texts[value] for value in columns[name]])
        return ["".join(parts) + self._pieces[-1] for parts in zip(*told, strict=True)]


def setting_of(values: fields.Values) -> Setting:
    """Return the setting of a config whose seeds are resolved; a new one unless its data were looked at."""
    data = values.get("data")
    if data is None:
        return Setting(values)
    key = (values["hidden"], id(data), *map(id, _rest(values)))
    found = _settings.get(key)
    if found is None:
        if len(_settings) >= MOST:
            _settings.clear()
        found = _settings[key] = Setting(values)
    return found
