"""Stored bits recomputed and compared; stored runs taken over by code that makes the same bits."""

from __future__ import annotations

from mlpjit.verify.verification import Checked, Verification, verify

__all__ = ["Checked", "Verification", "verify"]
