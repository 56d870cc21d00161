"""What a parameter of a catalogue entry may be, so that a wrong one is told before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

INFINITY = math.inf


@dataclass(frozen=True)
class Limits:
    """Numbers from `low` to `high`, and the names that stand for one.

    Ends are included, `low` unless `above`, `high` unless `below`. For a list they hold for each of its items.
    """

    low: float = -INFINITY
    high: float = INFINITY
    above: bool = False
    names: tuple[str, ...] = ()
    below: bool = False

    @property
    def takes_numbers(self) -> bool:
        """Whether any number lies within."""
        return self.low <= self.high

    @property
    def needed(self) -> str:
        """The end of the sentence `got -1, need ...`."""
        lowest = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        highest = f"below {self.high:g}" if self.below else f"at most {self.high:g}"
        number = lowest if self.high == INFINITY else f"{lowest} and {highest}"
        return " or ".join([*map(repr, self.names), *([number] if self.takes_numbers else [])])

    def holds(self, value: Any) -> bool:
        """Say whether a number, or every number of a tuple, lies within."""
        items = value if isinstance(value, tuple) else (value,)
        return all(self._holds(item) for item in items)

    def _holds(self, item: float) -> bool:
        if (self.above and item == self.low) or (self.below and item == self.high):
            return False
        return self.low <= item <= self.high


def at_least(low: float, high: float = INFINITY, *, names: tuple[str, ...] = ()) -> Limits:
    """Return the limits low <= value <= high, or a name."""
    return Limits(low, high, names=names)


def above(low: float, high: float = INFINITY, *, names: tuple[str, ...] = ()) -> Limits:
    """Return the limits low < value <= high, or a name."""
    return Limits(low, high, above=True, names=names)


def one_of(*names: str) -> Limits:
    """Return limits that no number keeps: one of these names."""
    return Limits(low=INFINITY, high=-INFINITY, names=names)


def share() -> Limits:
    """Return the limits 0 <= value < 1: the weight of a running average."""
    return Limits(0.0, 1.0, below=True)


# What a hyperparameter of this name may be, in whichever optimizer or clipping rule it stands.
HYPERPARAMETERS: dict[str, Limits] = {
    **dict.fromkeys(("b1", "b2", "b3", "rho", "momentum", "shampoo_beta"), share()),
    **dict.fromkeys(("eps", "eps_root", "alpha", "weight_decay", "momentum_decay", "warmup"), at_least(0)),
    **dict.fromkeys(("eps_scale", "adam_eps", "adam_rate"), at_least(0)),
    **dict.fromkeys(("initial_nu", "initial_mu", "initial_accumulator", "min_step"), at_least(0)),
    **dict.fromkeys(("max_norm", "max_value", "max_step", "threshold", "gamma", "final_rate", "decay_rate"), above(0)),
    **dict.fromkeys(("trust_coefficient", "growth", "initial_scale"), above(0)),
    "initial_distance": at_least(1e-30),  # prodigy divides by it, and float32 has nothing below 1e-45
    **dict.fromkeys(("k", "start", "ns_steps", "precondition_frequency", "interval", "most_trials"), at_least(1)),
    "max_consecutive_errors": at_least(0), "preconditioner_rate": above(0, 1), "first_scale": at_least(0),
    **dict.fromkeys(("c1", "c2"), Limits(0.0, 1.0, above=True, below=True)),
    **dict.fromkeys(("hessian_power", "damping"), above(0)),
    "tolerance": at_least(0), "decay": share(),
    "power": at_least(0), "eta": at_least(0), "xi": at_least(0),
    "lowest": Limits(),
    "dampening": at_least(0, 1), "eta_minus": Limits(0.0, 1.0, above=True, below=True), "eta_plus": above(1),
}  # fmt: skip
