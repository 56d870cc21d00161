"""Stored runs made again: what differs is named; runs take other ids only where the evidence allows it."""

from __future__ import annotations

import csv
import hashlib
import json
import lzma
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.errors import StoreError
from mlpjit.store import Store, adoption
from mlpjit.store.notes import SOURCES
from mlpjit.store.seals import seal_all
from mlpjit.study.pool import Runner
from mlpjit.study.study import Study
from mlpjit.study.sweep import sweep
from mlpjit.verify import Verification, verify
from mlpjit.verify.kept import edited_since

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
STUDY = Study.from_table({
    "name": "small", "dataset": "two_moons", "width": 8, "epochs": 3, "batch_size": 64,
    "sweep": {"optimizer": ["sgd", "adam"], "learning_rate": [0.01, 0.1, 1e6], "seed": [0, 1]},
    "final": {"per": "optimizer", "seeds": [10, 11]},
})  # fmt: skip
RUNS = 16


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    sweep(STUDY, directory)
    return directory


@pytest.fixture
def stored(made, tmp_path) -> Path:
    """A store of which one file is all."""
    assert [path.name for path in made.iterdir()] == ["store.sqlite"]
    shutil.copy(made / "store.sqlite", tmp_path)
    return tmp_path


def change(directory: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(directory / "store.sqlite") as connection:
        assert connection.execute(statement, values).rowcount > 0
        seal_all(connection)
    connection.close()


def ids(directory: Path) -> list[str]:
    with Store.open(directory, readonly=True) as store:
        return [row[0] for row in store.rows(("run_id",))]


def of_older_code(directory: Path) -> list[str]:
    """Give all runs the ids that some other code might have given them."""
    found = ids(directory)
    for table in ("runs", "curves", "plan"):
        change(directory, f"UPDATE {table} SET run_id = 'old-' || run_id")
    return found


def test_what_was_made_now_is_the_same_now(stored):
    found = verify(stored, sample=None)
    assert (len(found.checked), found.stored, found.wrong, found.adopted) == (RUNS, RUNS, [], 0)


CHANGES = [
    ("final_validation_loss", "UPDATE runs SET final_validation_loss = final_validation_loss * (1 + 1e-15)"),
    ("test_score", "UPDATE runs SET test_score = NULL"),
    ("gradients", "UPDATE runs SET gradients = gradients + 1"),
    ("state", "UPDATE runs SET state = 'diverged'"),
]


@pytest.mark.parametrize(("name", "statement"), CHANGES, ids=[name for name, _ in CHANGES])
def test_a_number_that_differs_is_named(stored, name, statement):
    run_id = next(run_id for run_id in ids(stored))
    change(stored, f"{statement} WHERE run_id = ?", run_id)
    assert [(each.run_id, each.differs) for each in verify(stored, None).wrong] == [(run_id, (name,))]


@pytest.mark.parametrize(
    ("column", "place", "name"), [("curve", 3, "validation_loss"), ("layer_curve", 0, "gradient_norm")]
)
def test_a_curve_that_differs_by_one_bit_is_named(stored, column, place, name):
    run_id, size = ids(stored)[0], 8 if column == "curve" else 4
    with sqlite3.connect(stored / "store.sqlite") as connection:
        (blob,) = connection.execute(f"SELECT {column} FROM curves WHERE run_id = ?", [run_id]).fetchone()
        (names,) = connection.execute(f"SELECT {column} FROM layouts").fetchone()
    connection.close()
    turned = bytearray(blob)
    turned[(len(json.loads(names)) * (2 if column == "layer_curve" else 1) + place) * size] ^= 1
    change(stored, f"UPDATE curves SET {column} = ? WHERE run_id = ?", bytes(turned), run_id)
    assert [(each.run_id, each.differs) for each in verify(stored, None).wrong] == [(run_id, (name,))]


def never() -> Runner:
    def made(*arguments: object) -> None:
        raise AssertionError("nothing is to be made")

    return Runner(made, made, made)  # type: ignore[arg-type]


def test_adopted_runs_are_those_of_the_study(stored):
    """The same command then finds nothing to do, the plan is whole, and the store says what happened."""
    now = of_older_code(stored)
    found = verify(stored, sample=None, adopt=True)
    assert (found.adopted, found.wrong, ids(stored)) == (RUNS, [], now)
    assert sweep(STUDY, stored, runner=never()).ran == 0
    with sqlite3.connect(stored / "store.sqlite") as connection:
        (note,) = adoption.notes(connection)
    connection.close()
    assert {name: note[name] for name in ("adopted", "stored", "rerun", "same_bits")} == dict.fromkeys(
        ("adopted", "stored", "rerun", "same_bits"), RUNS
    )


def test_of_all_runs_those_that_agree_are_adopted(stored):
    now = of_older_code(stored)
    change(stored, "UPDATE runs SET test_loss = 1.0 WHERE run_id = ?", f"old-{now[3]}")
    found = verify(stored, sample=None, adopt=True)
    assert found.adopted == RUNS - 1
    assert [run_id for run_id in ids(stored) if run_id.startswith("old-")] == [f"old-{now[3]}"]


@pytest.mark.parametrize(("bad", "adopted"), [(False, RUNS), (True, 0)])
def test_a_sample_speaks_for_all_only_where_all_of_it_agrees(stored, bad, adopted):
    of_older_code(stored)
    if bad:
        change(stored, "UPDATE runs SET test_loss = 1.0")
    found = verify(stored, sample=3, adopt=True)
    assert (len(found.checked), found.adopted) == (3, adopted)


def test_a_run_that_was_made_again_meanwhile_stays(stored):
    """Both stand in the store; the old one keeps its id."""
    now = ids(stored)
    change(
        stored,
        "INSERT INTO curves SELECT 'old', layers, curve, layer_curve, layout FROM curves WHERE run_id = ?",
        now[0],
    )
    with sqlite3.connect(stored / "store.sqlite") as connection:
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM runs WHERE run_id = ?", [now[0]])
        connection.execute("UPDATE one SET run_id = 'old'")
        connection.execute("INSERT INTO runs SELECT * FROM one")
        seal_all(connection)
    connection.close()
    found = verify(stored, sample=None, adopt=True)
    assert (found.stored, found.wrong) == (RUNS + 1, [])
    assert ids(stored) == now


def test_of_two_runs_that_are_the_same_now_the_planned_one_takes_the_id(stored):
    """As two older versions leave them in one store."""
    now = of_older_code(stored)
    with sqlite3.connect(stored / "store.sqlite") as connection:
        for table in ("runs", "curves"):
            connection.execute(f"CREATE TEMP TABLE one AS SELECT * FROM {table} WHERE run_id = ?", [f"old-{now[0]}"])
            connection.execute("UPDATE one SET run_id = 'older'")
            connection.execute(f"INSERT INTO {table} SELECT * FROM one")
            connection.execute("DROP TABLE one")
        seal_all(connection)
    connection.close()
    found = verify(stored, sample=None, adopt=True)
    assert (found.stored, found.adopted, ids(stored)) == (RUNS + 1, RUNS, now)
    with Store.open(stored, readonly=True) as store:
        assert set(store.known()) == {*now, "older"}


def test_a_run_whose_rule_is_gone_is_told(stored):
    run_id = ids(stored)[0]
    change(stored, "UPDATE runs SET config = replace(config, '\"sgd\"', '\"mine\"') WHERE run_id = ?", run_id)
    (wrong,) = verify(stored, None).wrong
    assert (wrong.run_id, "unknown optimizer 'mine'" in wrong.problem) == (run_id, True)


def test_the_file_that_runs_lack_is_named_once(stored):
    change(stored, "UPDATE runs SET config = replace(config, '\"sgd\"', '\"mine\"')")
    with Store.open(stored) as store:
        store.put_note(SOURCES, [{"file": "own.py", "sha256": "", "names": ["mine", "unused"], "texts": {}}])
    done = CliRunner().invoke(app, ["verify", str(stored), "--all"])
    assert done.exit_code == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert told == ["error: 8 runs not made again, for want of mine: give --use own.py"]


def test_a_file_that_was_edited_since_is_named(stored, tmp_path):
    file = tmp_path / "own.py"
    file.write_text("now\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for known, told in (([digest], []), (["before"], ["own.py"]), (["before", digest], ["own.py"])):
        with Store.open(stored) as store:
            store.put_note(SOURCES, [{"file": "own.py", "sha256": each, "names": [], "texts": {}} for each in known])
        assert edited_since(stored, [file]) == told


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def exported(tmp_path: Path, edit: Callable[[list[dict[str, str]]], None]) -> Path:
    """The reference table of `pathologies`, edited, in a folder of its name."""
    folder = tmp_path / "pathologies"
    folder.mkdir()
    rows = table_of(REFERENCE / "pathologies")
    edit(rows)
    with (folder / "runs.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return folder


def test_an_exported_table_is_verified_against_the_plan_of_its_study(tmp_path):
    def edit(rows: list[dict[str, str]]) -> None:
        rows[24]["test_loss"] = "0.5"
        rows[72]["learning_rate"] = "7.0"

    folder = exported(tmp_path, edit)
    found: Verification = verify(folder, sample=10)
    assert len(found.checked) == 10
    assert [each.differs for each in found.wrong] == [("test_loss",), ()]
    assert found.wrong[1].problem == "the plan has another learning_rate at its place"


def test_an_exported_table_takes_ids_and_keeps_its_numbers(tmp_path):
    folder = exported(
        tmp_path, lambda rows: [row.update(run_id=f"old-{n}", source_hash="x") for n, row in enumerate(rows)]
    )
    before = table_of(folder)
    assert verify(folder, sample=4, adopt=True).adopted == len(before)
    after = table_of(folder)
    new = {"run_id", "source_hash", "data_hash"}
    assert [{k: v for k, v in row.items() if k not in new} for row in after] == [
        {k: v for k, v in row.items() if k not in new} for row in before
    ]
    assert [row["run_id"] for row in after] == Study.load("pathologies").runs.run_ids
    assert json.loads((folder / "adopted.json").read_text())[0]["rerun"] == 4


def test_a_compact_table_is_verified_and_takes_ids_like_a_plain_one(tmp_path):
    folder = exported(tmp_path, lambda rows: [row.update(run_id=f"old-{n}") for n, row in enumerate(rows)])
    plain = folder / "runs.csv"
    with lzma.open(folder / "runs.csv.xz", "wt", encoding="utf-8", newline="") as file:
        file.write(plain.read_text(encoding="utf-8"))
    plain.unlink()
    assert verify(folder, sample=4).wrong == []
    assert verify(folder, sample=4, adopt=True).adopted == 480
    assert [file.name for file in sorted(folder.iterdir())] == ["adopted.json", "runs.csv.xz"]
    with lzma.open(folder / "runs.csv.xz", "rt", encoding="utf-8", newline="") as file:
        assert [row["run_id"] for row in csv.DictReader(file)] == Study.load("pathologies").runs.run_ids


def test_a_table_of_another_plan_is_refused(tmp_path):
    folder = exported(tmp_path, lambda rows: rows.pop())
    with pytest.raises(StoreError, match="479 tuning runs, the plan has 480"):
        verify(folder)


def test_the_command_says_what_differs_and_fails(stored):
    change(stored, "UPDATE runs SET test_loss = 1.0 WHERE run_id = ?", ids(stored)[2])
    done = CliRunner().invoke(app, ["verify", str(stored), "--all", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["wrong"][0]["differs"] == ["test_loss"]
    assert "test_loss" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere"], 3, "there is no store here"),
        ([".", "--all", "--sample", "3"], 2, "give one"),
        ([".", "--sample", "0"], 2, "from 1 up"),
    ],
)
def test_what_cannot_be_verified_is_told_in_one_line(arguments, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["verify", *arguments])
    assert (done.exit_code, told in done.stderr, done.stderr.count("\n")) == (code, True, 1)
