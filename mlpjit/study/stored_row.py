"""From runs that ended to the rows that the store keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlpjit.config.setting import setting_of
from mlpjit.store import Rows, StoredRun
from mlpjit.store.rows import storable
from mlpjit.store.schema import COUNTS, METRICS, TIMINGS, WRITTEN
from mlpjit.study.chunks import Task, configs_of, open_columns
from mlpjit.study.pool import Ended


def stored_rows(ended: Ended, run_ids: Sequence[str], session: int) -> Rows:
    """Return the rows and histories of runs of one group that ended with results.

    Raises RowError where one cannot be stored.
    """
    results, first = ended.results, ended.tasks[0]
    assert results
    setting, own = setting_of(first.like.__dict__), open_columns(configs_of(ended.tasks))
    numbers = {name: results.numbers[name] for name in (*METRICS, *COUNTS, *TIMINGS) if name in results.numbers}
    columns = {
        "run_id": run_ids, **own, **numbers, "config": setting.texts(own), "state": results.states,
        "started_at": ended.started_at, "finished_at": ended.finished_at,
    }  # fmt: skip
    shared = {name: value for name, value in _described(first, session).items() if name not in columns}
    return Rows.of(columns, shared, results.records, results.written, results.layers)


def without_result(ended: Ended, run_id: str, session: int, error: str = "") -> StoredRun:
    """Return the row of one run that has no result, or none that a store can hold: what is known of it, and why."""
    (task,) = ended.tasks
    dates = {"started_at": ended.started_at[0], "finished_at": ended.finished_at[0]}
    known = {"run_id": run_id, **_described(task, session), **dates}
    if ended.timed_out:
        return StoredRun({**known, "state": "timed_out", "error": f"timed out after {task.config.timeout:g} s"})
    kept = {name: known[name] for name in WRITTEN if name in known and storable(known[name])}
    text = (ended.error or error).encode(errors="backslashreplace").decode()
    return StoredRun({**kept, "state": "failed", "error": text})


def _described(task: Task, session: int) -> dict[str, Any]:
    """Return what is known of a run before it is made."""
    config, given = task.config, task.config.__dict__
    setting = setting_of(given)
    return {
        **setting.factors(given), "session": session, "timeout": config.timeout, "config": setting.text(given),
        "source_hash": setting.source_hash[:16], "data_hash": config.data.data_hash[:16],
    }  # fmt: skip
