"""The store of a study's results: one SQLite file, written by one thread, read by everyone."""

from __future__ import annotations

from mlpjit.store.database import Session, Store, StoredRun

__all__ = ["Session", "Store", "StoredRun"]
