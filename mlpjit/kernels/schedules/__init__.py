"""Schedules: rules factor(step, total, *settings); what stands in this folder is registered by standing here."""

from __future__ import annotations

from mlpjit.kernels.rates import schedules
from mlpjit.registry import load_family

__all__ = ["schedules"]

load_family(__name__, __path__)
