"""How much memory a page, a comparison and an export take for each run more: what its numbers do, no objects."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fakes import TABLE, Fake

from mlpjit.store.seals import seal_all
from mlpjit.study.study import Study

FEWER, MORE = 20, 200  # times 96 tuning runs
# Of each run more, at most; as rows of objects it took 3,000. Of a page with figures, which hold more than all else,
# a run more takes half of this.
BYTES = {"report": 1200, "compare": 500, "export": 500}
# Figures are of medians: they take the same for any number of runs, and most of the time.
READ = {
    "report": "from mlpjit.report import drawing, write; drawing._saved = lambda some, pdf: [1.0] * len(some);"
    "write(folder, force=True)",
    "compare": "from mlpjit.comparison.stored import compare_stored; compare_stored(folder)",
    "export": "from mlpjit.report.export import export; export(folder)",
}
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
NUMBERS = "WITH RECURSIVE numbers(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM numbers WHERE k < {}) "


def multiply(connection: sqlite3.Connection, copies: int) -> None:
    """Store every tuning run so many times, each on a seed of its own."""
    tuned, ids = "run_id IN (SELECT run_id FROM plan WHERE stage = 'tune')", {"run_id": "run_id || '-' || k"}
    for table in ("runs", "curves"):
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
        values = ", ".join((ids | {"seed": "seed + 1000 * k"}).get(name, f'"{name}"') for name in names)
        head = NUMBERS.format(copies - 1)
        connection.execute(f"{head} INSERT INTO {table} SELECT {values} FROM {table}, numbers WHERE {tuned}")
    connection.execute("UPDATE plan SET position = position + 1000000 WHERE stage = 'final'")
    connection.execute(
        f"{NUMBERS.format(copies - 1)} INSERT INTO plan (position, stage, run_id) "
        f"SELECT position + 1000 * k, stage, {ids['run_id']} FROM plan, numbers WHERE stage = 'tune'"
    )
    seal_all(connection)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of a small study and of a large one."""
    made = [tmp_path_factory.mktemp("study") for _ in (FEWER, MORE)]
    for folder, copies in zip(made, (FEWER, MORE), strict=True):
        table = {**TABLE, "sweep": {**TABLE["sweep"], "seed": list(range(8))}}
        Study.from_table(table).run(folder, runner=Fake().runner())
        with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as connection:
            connection.execute("BEGIN")
            multiply(connection, copies)
            connection.execute("COMMIT")
    return made


def peak(what: str, folder: Path) -> int:
    """Return the most bytes that a process of its own held meanwhile."""
    code = f"from pathlib import Path; folder = Path({str(folder)!r}); {READ[what]}; {PEAK}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1024 * int(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell the most that a process held")
@pytest.mark.parametrize("what", READ)
def test_each_run_more_takes_what_its_numbers_take(folders: list[Path], what: str) -> None:
    few, many = (peak(what, folder) for folder in folders)
    assert (many - few) / (96 * (MORE - FEWER)) < BYTES[what]
