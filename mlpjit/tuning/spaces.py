"""Search spaces of optimizers: what {name = "adam", space = "wide"} tunes, each with its source.

Every optimizer has two. `default` tunes the learning rate alone, on a grid around its default. `wide` draws rate and
main hyperparameters jointly. Those of published studies stand beside them, by the study's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.tuning.published import PUBLISHED
from mlpjit.tuning.rates import RATES
from mlpjit.tuning.wide import MAIN, range_of

RATE = "learning_rate"
STEPS = (0.1, 0.3, 1.0, 3.0, 10.0)
DECADES = 2  # of rates on each side of the default: on digits the best one of each optimizer is within


@dataclass(frozen=True)
class Space:
    """What the settings of an optimizer are taken from: `content` has a list or a range for each parameter tuned."""

    name: str
    content: Mapping[str, Any]
    source: str

    @property
    def drawn(self) -> bool:
        """Whether it has ranges, so that a study must say how many settings it draws."""
        return any(isinstance(entry, Mapping) for entry in self.content.values())


def default_rate(optimizer: str) -> float | None:
    """Return the learning rate that an optimizer is used with untuned; None where nobody said one."""
    found = RATES.get(optimizer)
    return found and found.value


def spaces_of(optimizer: str) -> dict[str, Space]:
    """Return the spaces of an optimizer by name; none of one that is not ours."""
    if optimizer not in RATES:
        return {}
    return {space.name: space for space in (_default(optimizer), _wide(optimizer), *_published(optimizer))}


def find_space(optimizer: str, name: Any) -> Space:
    """Return a space by name. ConfigError for an unknown one, with the nearest."""
    found = spaces_of(optimizer)
    if name not in found:
        raise ConfigError(f"unknown space {name!r} of {optimizer!r}{suggestion(str(name), found)}")
    return found[name]


def _default(optimizer: str) -> Space:
    rate = RATES[optimizer]
    source = f"this package: a decade either side of {rate.value:g}, the default of {rate.source}"
    return Space("default", {RATE: [_short(step * rate.value) for step in STEPS]}, source)


def _wide(optimizer: str) -> Space:
    rate = RATES[optimizer].value
    ends = [_short(rate / 10**DECADES), _short(rate * 10**DECADES)]
    content = {RATE: {"log": ends}} | {name: range_of(optimizer, name) for name in MAIN[optimizer]}
    return Space("wide", content, f"this package: two decades either side of {rate:g}, and its main hyperparameters")


def _published(optimizer: str) -> Iterator[Space]:
    for study in PUBLISHED:
        if optimizer in study.content:
            yield Space(study.name, study.content[optimizer], study.source)


def _short(value: float) -> float:
    return float(f"{value:.3g}")
