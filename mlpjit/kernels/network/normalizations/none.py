"""No normalization."""

from __future__ import annotations

from mlpjit.kernels.network.normalization_rules import Normalization, normalizations


def none(z):
    """No normalization."""
    return z


normalizations.register(Normalization("none", none, "y = z", "-"))
