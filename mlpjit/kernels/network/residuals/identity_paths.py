"""Identity paths around one weight layer; N is its normalization, sigma its activation, dropout included."""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.network.residual_rules import residual
from mlpjit.kernels.tables import RESIDUAL


@residual("a = sigma(N(W a_below + b))", "-", place=RESIDUAL.none)
def none(branch: Any, below: Any, sigma: Any) -> Any:
    """No residual connections."""
    return sigma(branch)


@residual(
    "a = sigma(N(W a_below + b) + a_below)", "He, Zhang, Ren & Sun 2016, arXiv:1512.03385, eq. 1", place=RESIDUAL.post
)
def post(branch: Any, below: Any, sigma: Any) -> Any:
    """Post-activation: the layer below is added before the activation."""
    return sigma(branch + below)


@residual(
    "a = a_below + sigma(N(W a_below + b))", "He, Zhang, Ren & Sun 2016, arXiv:1603.05027, eq. 3", place=RESIDUAL.pre
)
def pre(branch: Any, below: Any, sigma: Any) -> Any:
    """The identity path of pre-activation networks: the layer below is added behind the activation."""
    return below + sigma(branch)
