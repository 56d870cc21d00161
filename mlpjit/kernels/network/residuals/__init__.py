"""Residual connections: what stands in this folder is registered by standing here."""

from __future__ import annotations

from mlpjit.kernels.network.residual_rules import residuals
from mlpjit.registry import load_family

__all__ = ["residuals"]

load_family(__name__, __path__)
