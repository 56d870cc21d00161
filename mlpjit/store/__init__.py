"""The store of a study's results: one SQLite file, written by one thread, read by everyone."""

from __future__ import annotations

from mlpjit.store.database import FILE_NAME, Store
from mlpjit.store.rows import RowError, Rows, Session, StoredRun

__all__ = ["FILE_NAME", "RowError", "Rows", "Session", "Store", "StoredRun"]
