"""What a parameter of a catalogue entry may be, so that a wrong one is told before anything runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INFINITY = math.inf
# What rules bear in float32 with gradients of GRADIENTS' sizes and of 0: of more than LARGEST squares soon overflow,
# over less than LEAST_DIVISOR gradients may, and 0 over 0 is NaN.
GRADIENTS, LARGEST, LEAST_DIVISOR = (1e-30, 1e8), 1e15, 1e-30


def is_finite(value: float) -> bool:
    """Whether a number is finite in float64: of whole numbers too, which `math.isfinite` cannot tell of any size."""
    return abs(value) <= sys.float_info.max


@dataclass(frozen=True)
class Limits:
    """Numbers from `low` to `high`, and the names that stand for one.

    Ends are included, `low` unless `above`, `high` unless `below`; with `or_zero` 0 is within too, wherever they are.
    For a list they hold for each of its items.
    """

    low: float = -INFINITY
    high: float = INFINITY
    above: bool = False
    names: tuple[str, ...] = ()
    below: bool = False
    or_zero: bool = False

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
        names = [*map(repr, self.names), *(["0"] if self.or_zero else [])]
        return " or ".join([*names, *([number] if self.takes_numbers else [])])

    def holds(self, value: Any) -> bool:
        """Say whether a number, or every number of a tuple, lies within."""
        items = value if isinstance(value, tuple) else (value,)
        return all(self._holds(item) for item in items)

    def _holds(self, item: float) -> bool:
        if self.or_zero and item == 0.0:
            return True
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


def nonzero_divisor(values: Mapping[str, float], names: Sequence[str]) -> str | None:
    """Return what is wrong where a rule divides by these hyperparameters together and all of them are too small."""
    if not names or any(values[name] >= LEAST_DIVISOR for name in names):
        return None
    got = " and ".join(f"{name} {values[name]:g}" for name in names)
    return (
        f"{' and '.join(names)}: got {got}, need {LEAST_DIVISOR:g} or more in one: a gradient of 0 is divided by them"
    )


DIVISOR = at_least(LEAST_DIVISOR, LARGEST)
# What a hyperparameter of this name may be, in whichever optimizer or clipping rule it stands.
HYPERPARAMETERS: dict[str, Limits] = {
    **dict.fromkeys(("b1", "b2", "b3", "rho", "momentum", "shampoo_beta", "decay"), share()),
    **dict.fromkeys(("eps", "eps_root", "adam_eps", "eps_scale", "adam_rate"), at_least(0, LARGEST)),
    **dict.fromkeys(("momentum_decay", "warmup", "tolerance", "min_step"), at_least(0, LARGEST)),
    **dict.fromkeys(("initial_nu", "initial_accumulator"), at_least(0, LARGEST)),
    **dict.fromkeys(("max_norm", "max_value", "max_step", "threshold", "gamma", "final_rate"), above(0, LARGEST)),
    "decay_rate": above(0, LARGEST), "damping": at_least(1e-6, LARGEST),
    # Factors of gradients, of steps or of weights.
    **dict.fromkeys(("weight_decay", "alpha", "eta", "xi", "initial_mu"), at_least(0, 1000)),
    **dict.fromkeys(("growth", "initial_scale"), above(0, 1000)),
    "power": at_least(0, 10), "hessian_power": at_least(1e-3, 10),
    "initial_distance": at_least(1e-30, 100),
    **dict.fromkeys(("k", "start", "precondition_frequency", "interval"), at_least(1, 10**9)),
    **dict.fromkeys(("ns_steps", "most_trials"), at_least(1, 1000)),
    "max_consecutive_errors": at_least(0, 10**6), "preconditioner_rate": above(0, 1),
    "first_scale": Limits(1e-10, 1e3, or_zero=True),
    **dict.fromkeys(("c1", "c2", "eta_minus"), Limits(0.0, 1.0, above=True, below=True)),
    "lowest": Limits(-LARGEST, LARGEST),
    "dampening": at_least(0, 1), "eta_plus": above(1, LARGEST),
}  # fmt: skip
