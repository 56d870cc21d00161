"""Residual connections between hidden layers: what the activations below are added to; `passes` adds them.

A layer has one where the layer below is a hidden one of the same width. One weight layer makes a block; N is its
normalization, sigma its activation, dropout included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpjit.kernels.entries import Rule
from mlpjit.kernels.tables import NO_SKIP, POST, PRE
from mlpjit.registry import Registry

residuals: Registry[Rule] = Registry("residual")
PLACES = {"none": NO_SKIP, "post": POST, "pre": PRE}


def residual(formula: str, citation: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the formula of a connection."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        residuals.register(Rule(function.__name__, function, formula, citation))
        return function

    return register


@residual("a = sigma(N(W a_below + b))", "-")
def none(branch: Any, below: Any, sigma: Any) -> Any:
    """No residual connections."""
    return sigma(branch)


@residual("a = sigma(N(W a_below + b) + a_below)", "He, Zhang, Ren & Sun 2016, arXiv:1512.03385, eq. 1")
def post(branch: Any, below: Any, sigma: Any) -> Any:
    """Post-activation: the layer below is added before the activation."""
    return sigma(branch + below)


@residual("a = a_below + sigma(N(W a_below + b))", "He, Zhang, Ren & Sun 2016, arXiv:1603.05027, eq. 3")
def pre(branch: Any, below: Any, sigma: Any) -> Any:
    """The identity path of pre-activation networks: the layer below is added behind the activation."""
    return below + sigma(branch)
