"""Tuning that is repeated: each repetition has a share of the tuning seeds and one of the final seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def split(seeds: Sequence[Any], count: int) -> list[tuple[Any, ...]]:
    """Return `count` shares of equal size, in order; what is left over goes to none."""
    size = len(seeds) // count
    return [tuple(seeds[at * size : (at + 1) * size]) for at in range(count)]
