"""Residual connections between hidden layers: what the activations below are added to; `passes` adds them.

A layer has one where the layer below is a hidden one of the same width. One weight layer makes a block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlpjit.kernels.entries import Rule
from mlpjit.kernels.tables import RESIDUAL
from mlpjit.registry import Registry


@dataclass(frozen=True, eq=False)
class Residual(Rule):
    """A connection; `place` says where `passes` adds the layer below, one of `tables.RESIDUAL`."""

    place: int = RESIDUAL.none


residuals: Registry[Residual] = Registry("residual")


def residual(formula: str, citation: str, place: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the formula of a connection, and where it is made."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        residuals.register(Residual(function.__name__, function, formula, citation, place=place))
        return function

    return register
