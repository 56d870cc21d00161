"""Activations: each rule returns (f, df, d2f) at a pre-activation z; `activation_loops` are made from it.

A new one is one function in a file of this folder, which is registered by standing here; NaN passes through every rule,
and where f has a limit at +-inf the rule has it too.
"""

from __future__ import annotations

from mlpjit.kernels.network.activation_rules import activations
from mlpjit.registry import load_family

__all__ = ["activations"]

load_family(__name__, __path__)
