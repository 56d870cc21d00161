"""Activations: each rule returns (f, df, d2f) at a pre-activation z; the loops are made from it.

A new one is one function in the module of its family; NaN passes through every rule, and where f has a limit at
+-inf the rule has it too.
"""

from __future__ import annotations

from mlpjit.kernels.network.activations import gates, periodic, rectifiers, saturating
from mlpjit.kernels.network.activations.loops import (
    LEARNED_LOOPS,
    LOOPS,
    activation_loop,
    call_activation,
    call_derivatives,
    call_learned,
    call_learned_pair,
)
from mlpjit.kernels.network.activations.records import activation, activations, linked_names

__all__ = [
    "LEARNED_LOOPS", "LOOPS", "activation", "activation_loop", "activations", "call_activation", "call_derivatives",
    "call_learned", "call_learned_pair", "gates", "linked_names", "periodic", "rectifiers", "saturating",
]  # fmt: skip
