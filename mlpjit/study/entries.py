"""What an entry of a study file stands for: one value, or the settings of one competitor.

A list inside a spec, {name = "adam", b1 = [0.9, 0.95]}, is an axis of tuning inside one competitor; several cross. A
range there, or in the place of a number, is drawn from. {name = "adam", space = "wide"} has those of a known space.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.run_config import check_value
from mlpjit.errors import ConfigError
from mlpjit.tuning.ranges import Range, is_range, parse_range
from mlpjit.tuning.spaces import find_space

RATE, SPACE = "learning_rate", "space"
MOST_SETTINGS = 100_000  # that the lists of one spec may cross to
# Fields whose parameters may be tuned. A data set and its loss make a problem: what differs there is another problem.
TUNABLE = {
    "optimizer": "optimizers", "wrapper": "wrappers", "clip": "clippings", "init": "initializers",
    "activation": "activations", "schedule": "schedules", "weight_decay_schedule": "schedules",
    "momentum_schedule": "schedules",
}  # fmt: skip
COUNTS = ("depth", "width", "batch_size", "epochs", "evaluate_every")
NUMBERS = (RATE, "l1", "l2", "weight_decay", "dropout", *COUNTS)


@dataclass(frozen=True)
class Template:
    """An entry of the field `name` with places to fill; `raw` is a value, or a spec's table without what is drawn.

    `given` is what a study file may say of it, None: the value itself. `ranges` are by parameter, of a plain number
    under "". `tuned` names the parameters that belong to the setting. `rate` is the learning rate that a space brings.
    """

    name: str
    raw: Any
    given: Any = None
    ranges: Mapping[str, Range] = field(default_factory=dict)
    tuned: tuple[str, ...] = ()
    rate: Any = None

    def filled(self, drawn: Mapping[str, float]) -> Any:
        """Return the checked value with the drawn numbers in their places; ConfigError for a value that cannot be."""
        if "" in drawn:
            return check_value(self.name, round(drawn[""]) if self.name in COUNTS else drawn[""])
        if not drawn:
            return check_value(self.name, self.raw)
        defaults = REGISTRIES[TUNABLE[self.name]][self.raw["name"]].defaults
        whole = {name for name, value in defaults.items() if type(value) is int}
        rounded = {name: round(value) if name in whole else value for name, value in drawn.items()}
        return check_value(self.name, {**self.raw, **rounded})

    def untuned(self) -> Any:
        """Return the checked value with the defaults of what is tuned: it names the competitor."""
        return check_value(self.name, {name: value for name, value in self.raw.items() if name not in self.tuned})


def templates(name: str, entry: Any) -> list[Template]:
    """Return what an entry stands for: several where there are lists in its spec. ConfigError holds all mistakes."""
    if name in NUMBERS and is_range(entry):
        found = parse_range(entry)
        return [Template(name, None, found.given, {"": found})]
    if name not in TUNABLE or not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return [Template(name, entry)]
    return _of_spec(name, *_with_space(name, entry))


def _with_space(name: str, entry: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return a spec with the content of its space, which what is given beside it replaces, and the space's rate."""
    if name != "optimizer" or SPACE not in entry:
        return dict(entry), None
    content = dict(find_space(entry["name"], entry[SPACE]).content)
    rate = content.pop(RATE, None)
    return {**content, **{key: value for key, value in entry.items() if key != SPACE}}, rate


def _of_spec(name: str, spec: Mapping[str, Any], rate: Any) -> list[Template]:
    registry = REGISTRIES[TUNABLE[name]]
    defaults = registry[spec["name"]].defaults if spec["name"] in registry else {}
    lists = {key: value for key, value in spec.items() if _is_axis(value, defaults.get(key))}
    ranges = {key: parsed(key, value) for key, value in spec.items() if isinstance(value, Mapping)}
    if empty := [key for key, value in lists.items() if not value]:
        raise ConfigError([f"{key}: got an empty list, need at least one value" for key in empty])
    if (count := math.prod(map(len, lists.values()))) > MOST_SETTINGS:
        raise ConfigError(f"{', '.join(lists)}: {count:,} settings in all, need at most {MOST_SETTINGS:,}")
    raw = {key: value for key, value in spec.items() if key not in ranges}
    return [
        Template(name, {**raw, **chosen}, _given(spec, chosen, ranges), ranges, (*lists, *ranges), rate)
        for chosen in _crossed(lists)
    ]


def parsed(key: str, value: Mapping[str, Any]) -> Range:
    """Return the range of a parameter, its name in front of what is wrong with it."""
    try:
        return parse_range(value)
    except ConfigError as error:
        raise ConfigError([f"{key}: {line}" for line in error.problems]) from None


def _is_axis(value: Any, default: Any) -> bool:
    """A list is an axis; where the parameter is a list itself, a list of lists."""
    if not isinstance(value, list):
        return False
    return not isinstance(default, tuple) or (bool(value) and all(isinstance(item, list) for item in value))


def _crossed(lists: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(lists, chosen, strict=True)) for chosen in itertools.product(*lists.values())]


def _given(spec: Mapping[str, Any], chosen: Mapping[str, Any], ranges: Mapping[str, Range]) -> Any:
    """Return the spec as a study file may have it, without the name of a space: its content may change.

    With ranges each combination of the lists is drawn by itself, and is a list of one: tuned all the same.
    """
    if not ranges:
        return dict(spec) if chosen else None
    return {
        **spec,
        **{key: [value] for key, value in chosen.items()},
        **{k: found.given for k, found in ranges.items()},
    }
