"""Store: what the sweep writes and what figures, export and the command line read."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlpjit.errors import StoreError
from mlpjit.store import reading
from mlpjit.store.folding import put_away
from mlpjit.store.opening import NoStoreError, connect_to_read, explained
from mlpjit.store.rows import Rows, Session, StoredRun
from mlpjit.store.schema import HOST, READ, TIMING_COLUMNS
from mlpjit.store.seals import INSERT as INSERT_SEAL
from mlpjit.store.writing import Write, Writer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

FILE_NAME = "store.sqlite"
INSERT_CURVES = "INSERT OR REPLACE INTO curves (run_id, layers, curve, layer_curve, layout) VALUES (?, ?, ?, ?, ?)"


class Store:
    """A study's results. Open it with `Store.open` or `Store.find`; it is a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, writer: Writer | None = None) -> None:
        self.path = path
        self._connection = connection
        self._writer = writer

    @classmethod
    def open(cls, path: Path | str, readonly: bool = False) -> Self:
        """Open `store.sqlite`, or the one in a folder. Only one process at a time may open it for writing.

        Raises StoreError where there is none (readonly), it is no store, it is damaged, too new, or in use.
        """
        path = Path(path)
        with explained(path):
            is_file = path.suffix == ".sqlite" and (path.name == FILE_NAME or not path.is_dir())
            path = path if is_file else path / FILE_NAME
        if readonly:
            return cls(path, connect_to_read(path))
        writer = Writer(path)
        try:
            return cls(path, connect_to_read(path, verified=True), writer)
        except BaseException:
            writer.close()
            raise

    @classmethod
    def find(cls, path: Path | str) -> Self | None:
        """Open a store for reading; None where there is none yet. Raises StoreError as `open` does."""
        try:
            return cls.open(path, readonly=True)
        except NoStoreError:
            return None

    def start_writing(self) -> None:
        """Let a store that was opened for reading be written from now on. Raises StoreError as `open` does."""
        if self._writer is None:
            self._writer = Writer(self.path)
            self._connection.close()  # of a damaged store, what was sound is another file now
            self._connection = connect_to_read(self.path, verified=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued, close, and leave one file. Raises StoreError when something could not be written."""
        self._connection.close()
        try:
            if self._writer:
                self._writer.close()
        finally:
            put_away(self.path)

    # Writing

    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"{self.path}: opened for reading only")
        return self._writer

    def flush(self) -> None:
        """Wait until everything that was put is committed."""
        if self._writer:
            self._writer.flush()

    def put(self, run: StoredRun) -> int:
        """Queue a finished run; a run stored before under the same id is replaced. Any thread may call this.

        Raises RowError, and queues nothing, for a run that cannot be stored.
        """
        return self.put_all(run.rows())

    def put_all(self, rows: Rows) -> int:
        """Queue finished runs, which are written in one transaction; return a number to ask `holds` with.

        Waits while too much is queued that the disk has not taken yet.
        """
        writer = self._writing()
        seals = rows.seals(writer.layout)

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(*rows.insertion())
            connection.executemany(INSERT_CURVES, rows.curve_rows(writer.layout))
            connection.executemany(INSERT_SEAL, seals)

        return writer.put(write, touched=(), made=seals, size=rows.size)

    def holds(self, number: int) -> bool:
        """Say whether what `put` or `put_all` gave this number is committed: a crash no longer loses it."""
        return self._writing().committed >= number

    def put_timing(self, key: str, values: Mapping[str, Any], measured_at: str, session: int) -> None:
        """Queue one measured step time."""
        row = (key, *(values.get(name) for name in TIMING_COLUMNS), measured_at, session)
        marks = ", ".join("?" * len(row))
        self._writing().put(
            lambda connection: connection.execute(f"INSERT OR REPLACE INTO timing VALUES ({marks})", row),
            touched=("timing",),
        )

    def start_session(self, session: Session) -> int:
        """Store where runs are about to be made; return the number that their rows refer to."""
        names = (*HOST, "started_at", "provenance")
        values = [session.host.get(name) for name in HOST]
        values += [session.started_at, json.dumps(session.provenance, sort_keys=True)]
        query = f"INSERT INTO sessions ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        number: list[int] = []
        self._writing().put(
            lambda connection: number.append(connection.execute(query, values).lastrowid or 0), touched=("sessions",)
        )
        self.flush()
        return number[0]

    def end_session(self, number: int, compile_seconds: float, wall_seconds: float) -> None:
        """Add what a session spent on compilation and in all."""
        query = "UPDATE sessions SET compile_seconds = ?, wall_seconds = ? WHERE id = ?"
        values = (compile_seconds, wall_seconds, number)
        self._writing().put(lambda connection: connection.execute(query, values), touched=("sessions",))

    def save_plan(
        self, study: Mapping[str, Any], stages: Sequence[tuple[str, Sequence[str]]], timing: Sequence[str] = ()
    ) -> None:
        """Make (stage, run ids) pairs the current study, unless they are already."""
        plan = [(stage, run_id) for stage, run_ids in stages for run_id in run_ids]
        text = json.dumps(study)  # axes in their order, which is that of the plan
        digest = plan_digest(study, plan, timing)
        if self._meta("plan") == digest:
            return

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM plan")
            connection.execute("DELETE FROM timing_plan")
            connection.executemany("INSERT INTO plan (stage, run_id) VALUES (?, ?)", plan)
            connection.executemany("INSERT INTO timing_plan (key) VALUES (?)", [(key,) for key in timing])
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [("study", text), ("plan", digest)])

        self._writing().put(write, touched=("plan", "timing_plan"))
        self.flush()

    def write(self, write: Write) -> None:
        """Have the writer do something in a transaction of its own, and wait until it is committed."""
        self._writing().put(write)
        self.flush()

    # Reading

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection that reads."""
        return self._connection

    def _meta(self, key: str) -> str | None:
        with explained(self.path):
            row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def note(self, key: str) -> Any:
        """Return what was noted under a key as plain data; None where nothing was."""
        return json.loads(self._meta(f"note {key}") or "null")

    def put_note(self, key: str, value: Any) -> None:
        """Note plain data under a key, and wait until that is committed."""
        row = (f"note {key}", json.dumps(value))
        self.write(lambda connection: connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row))

    def has_plan(
        self, study: Mapping[str, Any], stages: Sequence[tuple[str, Sequence[str]]], timing: Sequence[str] = ()
    ) -> bool:
        """Whether exactly this is the current plan."""
        plan = [(stage, run_id) for stage, run_ids in stages for run_id in run_ids]
        return self._meta("plan") == plan_digest(study, plan, timing)

    def known(self) -> dict[str, tuple[str, float | None, float | None]]:
        """Return (state, timeout, final validation loss) of every stored run by run id, planned now or not."""
        with explained(self.path):
            rows = self._connection.execute("SELECT run_id, state, timeout, final_validation_loss FROM runs")
            return {run_id: (state, timeout, loss) for run_id, state, timeout, loss in rows}

    def timing_keys(self) -> set[str]:
        """Return the keys of all stored step times."""
        with explained(self.path):
            return {key for (key,) in self._connection.execute("SELECT key FROM timing")}

    def rows(self, names: Sequence[str] = READ) -> Iterator[tuple[Any, ...]]:
        """Yield those columns of the planned runs that are stored, in the order of the plan, without pandas."""
        with explained(self.path):
            yield from reading.rows(self._connection, names)

    def rows_of(self, run_ids: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return those columns of the runs, planned or not, that are stored, by run id."""
        with explained(self.path):
            return reading.rows_of(self._connection, run_ids, names)

    def speeds(self) -> list[tuple[str, float]]:
        """Return (run id, seconds of training and evaluation) of every run that is done."""
        query = "SELECT run_id, train_seconds + evaluate_seconds FROM runs WHERE state = 'done' AND steps > 0"
        with explained(self.path):
            return [row for row in self._connection.execute(query) if row[1]]

    def sessions(self) -> list[dict[str, Any]]:
        """Return every session: host columns, started_at, compile_seconds, wall_seconds, provenance."""
        names = (*HOST, "started_at", "compile_seconds", "wall_seconds", "provenance")
        with explained(self.path):
            rows = self._connection.execute(f"SELECT {', '.join(names)} FROM sessions ORDER BY id").fetchall()
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [{**session, "provenance": json.loads(session["provenance"])} for session in found]

    def frame(self) -> pd.DataFrame:
        """Return one row a run of the current study, in the order of its plan: ids, factors, metrics, timings."""
        with explained(self.path):
            return reading.frame(self._connection)

    def curves(self, run_ids: Iterable[str]) -> pd.DataFrame:
        """Return learning curves: run_id, then `curve_names()`."""
        with explained(self.path):
            return reading.curves(self._connection, list(run_ids))

    def curve_names(self) -> tuple[str, ...]:
        """Return the columns of curves: epoch, step, train_loss, validation_loss, validation_score first."""
        with explained(self.path):
            return reading.curve_names(self._connection)

    def curve_arrays(self, run_ids: Sequence[str]) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        """Yield (run_id, curve): one row an evaluation, columns as in `curve_names()`."""
        with explained(self.path):
            for names, rows, lengths in reading.curve_arrays(self._connection, run_ids):
                ends = lengths.cumsum()
                for run_id, end, length in zip(names, ends, lengths, strict=True):
                    yield run_id, rows[end - length : end]

    def layers(
        self, run_ids: Iterable[str], names: Iterable[str] | None = None, epoch: int | None = None
    ) -> pd.DataFrame:
        """Return diagnostics by layer: run_id, epoch, layer (1..L), then `names` (all of them without)."""
        with explained(self.path):
            return reading.layers(self._connection, list(run_ids), names, epoch)

    def timing(self) -> pd.DataFrame:
        """Return the measured step times of the current study, with `parameters` and quartiles."""
        with explained(self.path):
            return reading.timing(self._connection)

    def study(self) -> dict[str, Any]:
        """Return the canonical study; empty before anything was planned."""
        found: dict[str, Any] = json.loads(self._meta("study") or "{}")
        return found

    def content_version(self) -> str:
        """Return a text that changes with every commit to this store."""
        return f"{self._meta('store')}-{self._meta('changes')}"

    def check(self) -> str | None:
        """Return SQLite's first complaint about the file, None when it is whole."""
        with explained(self.path):
            (answer,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        return None if answer == "ok" else str(answer)


def plan_digest(study: Mapping[str, Any], plan: Sequence[tuple[str, str]], timing: Sequence[str]) -> str:
    """Return one hash over a study and what it plans."""
    text = "\n".join([json.dumps(study, sort_keys=True), *(f"{stage} {run_id}" for stage, run_id in plan), *timing])
    return hashlib.sha256(text.encode()).hexdigest()
