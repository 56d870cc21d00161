"""One file to send: what is in it, that it is read as it was written, and that no other file passes for one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import tempfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake
from typer.testing import CliRunner

from mlpjit.bundle import writing
from mlpjit.bundle.again import study_of
from mlpjit.bundle.format import ALLOWED, fitting
from mlpjit.bundle.opening import opened
from mlpjit.cli import app
from mlpjit.errors import StoreError
from mlpjit.extending.files import OwnFile
from mlpjit.extending.source import source_of
from mlpjit.store import Store
from mlpjit.study.own_sources import keep_source
from mlpjit.study.study import Study

TOML = """
name = "tiny"
dataset = {name = "mine.csv", target = "price"}
width = 4
epochs = 1
[sweep]
seed = [0, 1]
optimizer = ["sgd", "adam"]
[tuning]
race = true
[final]
seeds = [100, 101]
"""
ROWS = "size,price,weight\n" + "".join(f"{i % 7},{i}.5,{i % 3}\n" for i in range(40))


def mlpjit(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, list(map(str, arguments)))


def own_file(folder: Path) -> OwnFile:
    (folder / "mine.py").write_text("import constants\nfrom parts import one\n")
    (folder / "constants.py").write_text("import deeper\nX = 1\n")
    (folder / "deeper.py").write_text("import constants\n")
    (folder / "unused.py").write_text("\n")
    (folder / "parts").mkdir()
    for name in ("__init__", "one"):
        (folder / "parts" / f"{name}.py").write_text(f"# {name}\n")
    digest = hashlib.sha256((folder / "mine.py").read_bytes()).hexdigest()
    return OwnFile(folder / "mine.py", digest, (("optimizers", "mine"),))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a study's results, and the source of what was tried on it."""
    folder, fake, before = tmp_path_factory.mktemp("bundles"), Fake(), Path.cwd()
    (folder / "mine.csv").write_text(ROWS)
    (folder / "tiny.toml").write_text(TOML)
    os.chdir(folder)
    try:
        Study.load("tiny.toml").run("out", 1, runner=fake.runner())
        with Store.open("out") as store:
            keep_source(store, source_of(own_file(folder)))
        assert mlpjit("report", "out").exit_code == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where the test works."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_a_bundle_has_all_that_was_promised(home: Path) -> None:
    done = mlpjit("bundle", "out")
    assert (done.exit_code, done.stdout) == (0, "out.zip\n")
    assert done.stderr == "mine.csv: not in the bundle, its hash is; --with-data includes it\n"
    found = contents(home / "out.zip")
    manifest = json.loads(found["bundle.json"])
    for name, known in manifest["files"].items():
        assert known == {"bytes": len(found[name]), "sha256": hashlib.sha256(found[name]).hexdigest()}
    assert found.keys() == {*manifest["files"], "bundle.json"}
    assert found["report.html"] == (home / "out/report.html").read_bytes()
    assert found["tables/answer.csv"] == (home / "out/tables/answer.csv").read_bytes()
    assert found["runs.csv"].count(b"\n") == 1 + 4 + 4
    own = manifest["own"][0]
    assert found[own["file"]] == (home / "mine.py").read_bytes()
    assert own["sha256"] == hashlib.sha256(found[own["file"]]).hexdigest()
    names = {name.split("/", 2)[2] for name in found if name.startswith("own/")}
    assert names == {"mine.py", "constants.py", "deeper.py", "parts/__init__.py", "parts/one.py"}
    assert manifest["data"][0]["files"][0]["sha256"] == hashlib.sha256((home / "mine.csv").read_bytes()).hexdigest()
    told = found["README.txt"].decode()
    for part in ("mlpjit run study.toml --out again", "mine.py", "data/mine.csv", manifest["sessions"][0]["host_cpu"]):
        assert part in told
    assert not any(name.startswith("data/") for name in found)


def test_the_same_results_are_the_same_bytes(home: Path) -> None:
    for name in ("one.zip", "two.zip"):
        assert mlpjit("bundle", "out", "--out", name).exit_code == 0
    assert (home / "one.zip").read_bytes() == (home / "two.zip").read_bytes()


@pytest.mark.parametrize("name", ["out.sqlite", "sent", "sent.tar.gz"])
def test_a_bundle_is_not_written_as_another_kind_of_file(home: Path, name: str) -> None:
    done = mlpjit("bundle", "out", "--out", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"error: --out {name}: a bundle is a ZIP file: need a name that ends in .zip\n"
    assert not (home / name).exists()


def test_the_study_in_it_is_the_study(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.load("tiny.toml")
    run_ids = study.runs.run_ids
    assert mlpjit("bundle", "out", "--with-data").exit_code == 0
    with zipfile.ZipFile("out.zip") as file:
        file.extractall("there")
    assert (home / "there/data/mine.csv").read_text() == ROWS
    monkeypatch.chdir(home / "there")
    again = Study.load("study.toml")
    assert [again.runs.run_ids, again.final, again.tuning] == [run_ids, study.final, study.tuning]


def test_commands_are_those_of_the_session_in_an_unpacked_bundle(home: Path) -> None:
    given = "--data /home/me/houses.csv --target price --drop 'built on' --rates 0.1"
    tried = f"mlpjit try /home/me/mine.py tiny {given} --out /home/me/out --cap 9"
    with Store.open("out") as store:
        provenance = json.dumps({"command": tried})
        store.write(lambda c: c.execute("INSERT INTO sessions (started_at, provenance) VALUES ('', ?)", [provenance]))
    assert mlpjit("bundle", "out").exit_code == 0
    own = next(name for name in contents(home / "out.zip") if name.endswith("/mine.py"))
    commands = json.loads(contents(home / "out.zip")["bundle.json"])["commands"]
    assert commands == [
        "mlpjit run study.toml --out again",
        f"mlpjit try {own} study.toml --rates 0.1 --cap 9 --out again",
    ]


def test_a_try_leaves_the_study_its_own_final_stage() -> None:
    tried = {"final": {"per": "loss"}, "own_final": {"per": "optimizer"}, "tried": ["mine"], "blocks": []}
    assert study_of(tried, [])["final"] == {"per": "optimizer"}
    assert study_of({"final": {"per": "depth"}, "blocks": []}, [])["final"] == {"per": "depth"}


def test_what_takes_a_folder_names_what_takes_a_bundle(sent: Path) -> None:
    for command in (("bundle",), ("doctor",), ("figure", "rate_curves")):
        done = mlpjit(*command, sent)
        assert done.exit_code == 3
        assert "a bundle, read by report, compare, verify and export" in done.stderr
    assert "a bundle has one in it" in mlpjit("run", sent).stderr


def test_a_folder_that_is_not_there_is_told_by_the_name_that_was_given(home: Path) -> None:
    done = mlpjit("bundle", "out", "--out", "nowhere/sent.zip")
    assert (done.exit_code, ".partial" in done.stderr) == (3, False)
    assert "nowhere/sent.zip: cannot be written" in done.stderr


@pytest.mark.parametrize("name", ["10:30.csv", "a\\b.csv", "own/a.b./c .py", "plain.csv", ":"])
def test_a_name_that_a_bundle_may_not_hold_is_changed(name: str) -> None:
    assert ALLOWED.fullmatch(f"data/{fitting(name)}")
    assert (fitting(name) == name) == (name == "plain.csv")


def test_data_of_any_name_can_be_sent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "10:30.csv").write_text(ROWS)
    (home / "tiny.toml").write_text(TOML.replace("mine.csv", "10:30.csv"))
    study = Study.load("tiny.toml")
    study.run("timed", 1, runner=Fake().runner())
    assert mlpjit("bundle", "timed", "--with-data").exit_code == 0
    with opened(home / "timed.zip"), zipfile.ZipFile("timed.zip") as file:
        file.extractall("there")
    monkeypatch.chdir(home / "there")
    assert Study.load("study.toml").runs.run_ids == study.runs.run_ids


def test_what_is_bundled_need_not_fit_into_memory(tmp_path: Path) -> None:
    with (tmp_path / "store.sqlite").open("wb") as file:
        file.truncate(50 * 2**20)
    tracemalloc.start()
    try:
        written = {"store.sqlite": tmp_path / "store.sqlite"}
        writing._digests(written)
        writing._zip(tmp_path / "out.zip", written)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
    assert contents(tmp_path / "out.zip")["store.sqlite"] == (tmp_path / "store.sqlite").read_bytes()


def test_changed_data_are_told_and_not_included(home: Path) -> None:
    (home / "mine.csv").write_text(ROWS + "1,2,3\n")
    done = mlpjit("bundle", "out")
    assert done.stderr == "mine.csv: not in the bundle, its hash is; it has changed since it was run\n"
    refused = mlpjit("bundle", "out", "--with-data", "--out", "other.zip")
    assert refused.exit_code == 2
    assert "mine.csv: has changed since it was run" in refused.stderr
    assert not (home / "other.zip").exists()
    (home / "mine.csv").unlink()
    assert "no such file" in mlpjit("bundle", "out").stderr.lower()


def test_a_folder_without_a_store_is_told(tmp_path: Path) -> None:
    done = mlpjit("bundle", tmp_path)
    assert done.exit_code == 3
    assert "there is no store here" in done.stderr


@pytest.fixture(scope="module")
def sent(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle alone, somewhere else."""
    path = tmp_path_factory.mktemp("sent") / "out.zip"
    assert mlpjit("bundle", made / "out", "--out", path).exit_code == 0
    return path


def test_a_bundle_opens_where_it_lies(sent: Path, made: Path) -> None:
    done = mlpjit("report", sent)
    assert (done.exit_code, done.stdout) == (0, f"{sent.parent / 'out_report.html'}\n"), done.output
    assert (sent.parent / "out_report.html").read_bytes() == (made / "out/report.html").read_bytes()
    assert mlpjit("report", sent, "--out", sent.parent / "page.html").exit_code == 0
    assert (sent.parent / "page.html").read_bytes() == (made / "out/report.html").read_bytes()
    assert sorted(path.name for path in sent.parent.iterdir()) == ["out.zip", "out_report.html", "page.html"]


def test_what_reads_a_folder_reads_a_bundle(sent: Path, made: Path) -> None:
    assert mlpjit("compare", sent).stdout == mlpjit("compare", made / "out").stdout
    mlpjit("export", made / "out")
    done = mlpjit("export", sent)
    assert done.stdout.split() == [str(sent.parent / f"out_{name}.csv") for name in ("runs", "curves")]
    assert (sent.parent / "out_curves.csv").read_bytes() == (made / "out/curves.csv").read_bytes()
    assert mlpjit("verify", sent, "--adopt").exit_code == 2
    assert mlpjit("report", made / "out", "--out", "x").exit_code == 2


Edit = Callable[[dict[str, bytes]], dict[str, bytes]]


def changed(name: str, data: bytes) -> Edit:
    return lambda found: found | {name: data}


def with_manifest(**changes: Any) -> Edit:
    return lambda found: found | {"bundle.json": json.dumps(json.loads(found["bundle.json"]) | changes).encode()}


def smaller_than_told(found: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(found["bundle.json"])
    manifest["files"]["store.sqlite"]["bytes"] -= 1
    return found | {"bundle.json": json.dumps(manifest).encode()}


WRONG: dict[str, tuple[Edit, str]] = {
    "a path that leaves": (changed("own/../../escaped.py", b"x"), "'own/../../escaped.py' in it"),
    "a path from the root": (changed("/etc/escaped", b"x"), "'/etc/escaped' in it"),
    "another file": (changed("model.pickle", b"x"), "'model.pickle' in it"),
    "no store": (lambda found: {name: data for name, data in found.items() if name != "store.sqlite"}, "no store"),
    "another store": (changed("store.sqlite", b"SQLite format 3\0"), "store.sqlite is not as it was bundled"),
    "another page": (changed("report.html", b"<script>"), "report.html is not as it was bundled"),
    "one more": (changed("own/more.py", b"x"), "'own/more.py' is in one"),
    "a wrong size": (smaller_than_told, "store.sqlite is not as it was bundled"),
    "no manifest to read": (changed("bundle.json", b"[" * 100_000), "not what mlpjit writes"),
    "a list for it": (changed("bundle.json", b"[]"), "not what mlpjit writes"),
    "a newer one": (with_manifest(format=2), "a bundle of format 2, this one reads 1: update mlpjit"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_no_other_file_passes_for_a_bundle(sent: Path, tmp_path: Path, name: str) -> None:
    edit, told = WRONG[name]
    with zipfile.ZipFile(tmp_path / "wrong.zip", "w") as file:
        for each, data in edit(contents(sent)).items():
            file.writestr(each, data)
    done = mlpjit("report", tmp_path / "wrong.zip")
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1), done.output
    assert told in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.zip"]


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_may_unpack_without_bound_is_refused(sent: Path, tmp_path: Path, packing: int) -> None:
    with zipfile.ZipFile(tmp_path / "wrong.zip", "w") as file:
        for each, data in contents(sent).items():
            file.writestr(each, data, packing)
    done = mlpjit("report", tmp_path / "wrong.zip")
    assert (done.exit_code, "is packed in another way" in done.stderr) == (3, True), done.output


def test_a_manifest_unpacks_no_further_than_it_says(sent: Path, tmp_path: Path) -> None:
    """It has 50 MB behind the hundred bytes that are told of."""
    size = 50 * 2**20 + 1
    with zipfile.ZipFile(tmp_path / "wrong.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for each, data in changed("bundle.json", b" " * size)(contents(sent)).items():
            file.writestr(each, data)
    data = (tmp_path / "wrong.zip").read_bytes()
    (tmp_path / "wrong.zip").write_bytes(data.replace(struct.pack("<L", size), struct.pack("<L", 100)))
    tracemalloc.start()
    try:
        with pytest.raises(StoreError), opened(tmp_path / "wrong.zip"):
            pass
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device stands for the full disk")
def test_a_full_disk_is_not_taken_for_a_broken_bundle(
    sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store.sqlite").symlink_to("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **_: contextlib.nullcontext(str(tmp_path)))
    with pytest.raises(StoreError, match=r"no room to unpack out\.zip here"), opened(sent):
        pass


@pytest.mark.parametrize("size", [0, 1, 100, 5_000, -1])
def test_a_bundle_that_was_cut_is_told(sent: Path, tmp_path: Path, size: int) -> None:
    (tmp_path / "cut.zip").write_bytes(sent.read_bytes()[:size])
    told = r"cut.zip: not a bundle that can be read \(.+\): `mlpjit bundle DIR`"
    with pytest.raises(StoreError, match=told), opened(tmp_path / "cut.zip"):
        pass


def test_a_flipped_byte_anywhere_is_told_or_does_no_harm(sent: Path, tmp_path: Path) -> None:
    """What is no content, as a date, has no digest."""
    data, told = bytearray(sent.read_bytes()), 0
    for place in range(0, len(data), len(data) // 60):
        data[place] ^= 0x10
        (tmp_path / "flipped.zip").write_bytes(data)
        data[place] ^= 0x10
        try:
            with opened(tmp_path / "flipped.zip") as folder:
                assert (folder / "store.sqlite").read_bytes() == contents(sent)["store.sqlite"]
        except StoreError:
            told += 1
    assert told > 50


def test_a_bundle_lies_beside_its_folder_whatever_that_is_called(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree("out", "results/v1.2")
    assert mlpjit("bundle", "results/v1.2/").stdout == "results/v1.2.zip\n"
    monkeypatch.chdir("results/v1.2")
    assert mlpjit("bundle", ".").stdout == f"{home / 'results/v1.2.zip'}\n"
