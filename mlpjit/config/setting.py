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
_open, _rest = itemgetter(*OPEN), itemgetter(*REST)
_settings: dict[tuple[Any, ...], Setting] = {}
forgetting.append(_settings.clear)


class Setting:
    """All that can be said of a config but for its rate and seeds."""

    def __init__(self, values: fields.Values) -> None:
        self._values = dict(values)  # found by their places in memory, which nothing else may take
        self._canonical, self._factors = fields.canonical(values), fields.factors(values)
        self._lists = [name for name, value in self._canonical.items() if isinstance(value, list)]
        texts = [
            f"{json.dumps(name)}:%r" if name in OPEN else identity.json_part(name, value).replace("%", "%%")
            for name, value in self._canonical.items()
        ]
        self._text = "{" + ",".join(texts) + "}"

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
        return self._text % _open(values)

    def texts(self, columns: Mapping[str, Sequence[Any]]) -> list[str]:
        """Return the canonical forms of configs with this setting as JSON, from the columns of what it leaves open."""
        return [self._text % own for own in zip(*(columns[name] for name in OPEN), strict=True)]


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
