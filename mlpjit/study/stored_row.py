"""From a run that ended to the row that the store keeps."""

from __future__ import annotations

from typing import Any

from mlpjit.config.setting import setting_of
from mlpjit.store import StoredRun
from mlpjit.store.rows import storable
from mlpjit.store.schema import COUNTS, METRICS, TIMINGS, WRITTEN
from mlpjit.study.pool import Ended


def stored_run(ended: Ended, run_id: str, session: int) -> StoredRun:
    """Return the row and the history of an ended run. One without a result keeps its error and nothing else."""
    config = ended.task.config
    given, setting = config.__dict__, setting_of(config.__dict__)
    values = {
        "run_id": run_id, **setting.factors(given), "session": session, "timeout": config.timeout,
        "config": setting.text(given), "source_hash": setting.source_hash[:16], "data_hash": config.data.data_hash[:16],
        "started_at": ended.started_at, "finished_at": ended.finished_at,
    }  # fmt: skip
    if ended.error is not None:
        return failed(StoredRun(values), ended.error)
    if ended.timed_out:
        return StoredRun({**values, "state": "timed_out", "error": f"timed out after {config.timeout:g} s"})
    result = ended.result
    counts = {name: result.counts.get(name) for name in COUNTS}
    numbers = {name: _number(value) for name, value in {**result.metrics, **counts, **result.timings}.items()}
    return StoredRun({**values, **numbers, "state": result.status}, result.history)


def failed(run: StoredRun, error: str) -> StoredRun:
    """Return the row of a run without a result: what is known of it, as far as a store can hold that, and why."""
    names = [name for name in WRITTEN if name not in (*METRICS, *COUNTS, *TIMINGS)]
    kept = {name: run.values[name] for name in names if name in run.values and storable(run.values[name])}
    return StoredRun({**kept, "state": "failed", "error": error.encode(errors="backslashreplace").decode()})


def _number(value: Any) -> Any:
    """Return NumPy scalars as Python numbers: SQLite would keep them as bytes."""
    return value.item() if hasattr(value, "item") else value
