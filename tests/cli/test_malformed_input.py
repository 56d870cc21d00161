"""Malformed studies, data and options through the command line: one clear line, exit 2 or 3, nothing written."""

from __future__ import annotations

import os
import signal
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.study.study import Study

LIMIT_SECONDS = 10  # a machine under load; what is refused takes a twentieth of it
AXES = ("seed", "split_seed", "init_seed", "order_seed", "width")
LONG = "x" * 300

STUDIES = {
    "brackets": ("a = " + "[" * 100_000, "brackets.toml: not valid TOML: brackets are nested too deeply"),
    "braces": ("a = " + "{a=" * 5_000, "braces.toml: not valid TOML: brackets are nested too deeply"),
    "digits": (f"width = {'9' * 5000}", "digits.toml: not valid TOML: a number has too many digits (at line 1)"),
    "axis": (f"[sweep]\nseed = [1, {'9' * 5000}]", "axis.toml: not valid TOML: a number has too many digits (at line"),
    "hexadecimal": (f"[sweep]\nseed = [1, 0x{'f' * 5000}]", "sweep.seed[1]: got a whole number of 20,000 bits, need"),
    "period": (f"schedule = {{name = 'step', every = {'9' * 400}}}", "schedule.every: got a whole number of 1,329"),
    "float": (f"learning_rate = 1{'0' * 5000}.0", "learning_rate: got inf, need a positive number"),
    "width": ("width = 1e19", "width: got 1e+19, need a whole number from 1 up to 10,000,000"),
    "depth": ("depth = 100000", "depth: got 100000, need a whole number from 0 up to 10,000"),
    "deepest": ("depth = 1000000000000000000", "depth: got 1000000000000000000, need a whole number from 0 up to"),
    "hidden": (f"hidden = {[1] * 100_000}", "up to 10,000,000, at most 10,000 of them"),
    "nested": ("depth = " + "[" * 300 + "]" * 300, "depth: got [[["),
    "epochs": ("epochs = 1000000000000000", "need smaller width, depth, batch_size or epochs"),
    "memory": ("hidden = [10000000, 10000000]", "GB are free: need smaller width, depth, batch_size or epochs"),
    "runs": (
        "[sweep]\n" + "\n".join(f"{key} = {list(range(1, 101))}" for key in AXES),
        "[sweep]: 10,000,000,000 runs, need at most 10,000,000",
    ),
    "repeats": ("[timing]\nrepeats = 1000000000000", "[timing], repeats: got 1000000000000, need a whole number"),
    "tables": ("[" + "a." * 1000 + "a]", "tables.toml: not valid TOML: brackets are nested too deeply"),
    "parts": (".".join(["a"] * 20_000) + " = 1", "parts.toml: not valid TOML: a key has too many parts"),
    "seeds": ("seed = [0, 1]", "seeds.toml, seed: got [0, 1], need one value: several to compare go below [sweep]"),
    "widths": ("hidden = [[8], [16]]", "widths.toml, hidden: got [[8], [16]], need one value: several to compare go"),
    "named": (f'name = "{LONG}"', "need letters, digits, '-', '_' and '.', at most 100"),
    "optimizer": (f'optimizer = "{LONG}"', "optimizer: unknown optimizer"),
    "key": (f"{LONG} = 1", "unknown key"),
    "nobody": ('dataset = "~no-such-user/x.csv"', "dataset '~no-such-user/x.csv': Could not determine home"),
    "zero_byte": ('dataset = "a\\u0000.csv"', "cannot read dataset"),
    "long_path": (f'dataset = "{LONG}.csv"', "cannot read dataset"),
}  # fmt: skip


def header(text: str) -> bytes:
    """The beginning of a .npy file, version 1.0."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


SHAPED = "{'descr': '<f8', 'fortran_order': False, 'shape': (40, %s), }\n"
HEADERS = {
    "digits": header(SHAPED % ("9" * 5000)), "braces": header("{" * 3000 + "\n"), "huge": header(SHAPED % 10**19),
    "negative": header(SHAPED % -3), "no_tuple": header("{'descr': '<f8', 'fortran_order': 0, 'shape': 'x'}\n"),
    "version": b"\x93NUMPY\x09\x09xx", "empty": header(SHAPED % 2), "control": header("\x01(((((\n"),
    "list": header("[1]\n"), "type": header("{'descr': '<f99', 'fortran_order': False, 'shape': (40, 2), }\n"),
    "minus": header("-" * 60_000 + "1\n"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own to work in, and an end for what would wait for ever."""

    def end(*_: Any) -> None:
        raise TimeoutError

    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refused(*arguments: str) -> str:
    """Run a study that cannot be run; return the one line of the refusal."""
    result = CliRunner().invoke(app, ["run", *arguments, "--no-report"])
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (2, 3), result.output
    assert result.stdout == ""
    assert not list(Path().rglob("*.sqlite*"))
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert len(line) <= 320
    return line


def of_data(name: str) -> str:
    """Run a study of a data file; return the line."""
    Path("data.toml").write_text(f'dataset = "{name}"')
    return refused("data.toml")


@pytest.mark.parametrize("name", STUDIES)
def test_studies(name):
    text, told = STUDIES[name]
    Path(f"{name}.toml").write_text(text)
    assert told in refused(f"{name}.toml")


def test_a_study_with_a_byte_order_mark():
    Path("marked.toml").write_text("epochs = 3", encoding="utf-8-sig")
    assert Study.load("marked.toml").blocks[0].fixed["epochs"] == 3


def test_of_many_mistakes_the_first_are_told():
    Path("many.toml").write_text("\n".join(f"k{number} = 1" for number in range(20_000)))
    result = CliRunner().invoke(app, ["run", "many.toml"])
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines), lines[-1]) == (2, 11, "error: and more mistakes")


@pytest.mark.parametrize("command", [["run", "fine.toml", "--out", "out"], ["report", "out"], ["doctor", "out"]])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_store_that_is_no_file(kind, command):
    Path("fine.toml").write_text("epochs = 1")
    Path("out").mkdir()
    irregular("out/store.sqlite", kind)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: out/store.sqlite: cannot be opened: ")
    assert [path.name for path in Path("out").iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_arrays(name):
    with zipfile.ZipFile("bad.npz", "w") as archive:
        archive.writestr("x.npy", HEADERS[name])
        archive.writestr("y.npy", HEADERS[name])
    assert "dataset 'bad.npz': cannot read array 'x' (" in of_data("bad.npz")


def test_dimensions_of_idx():
    Path("images-ubyte").write_bytes(b"\0\0\x08\xff" + struct.pack(">I", 1) * 255 + b"\x01")
    Path("labels-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 1) + b"\x01")
    assert "dataset 'images-ubyte': 255 dimensions, need at most 32" in of_data("images-ubyte")


def irregular(name: str, kind: str) -> None:
    """Make what is no file: opened, a pipe waits for a writer, and /dev/zero has no end."""
    make = {"pipe": os.mkfifo, "device": lambda path: os.symlink("/dev/zero", path), "folder": os.mkdir}
    make[kind](name)


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "images-ubyte"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_data_that_are_no_regular_file(name, kind):
    irregular(name, kind)
    assert f"cannot read dataset '{name}': " in of_data(name)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_study_that_is_no_regular_file(kind):
    irregular("x.toml", kind)
    assert "x.toml: cannot be read: " in refused("x.toml")


@pytest.mark.parametrize("name", [LONG, f"{LONG}.toml", "~no-such-user/x.toml", "a\0.toml", "missing.toml"])
def test_studies_that_are_nowhere(name):
    assert refused(name)


def test_a_study_whose_name_is_no_text():
    Path("caf\udce9.toml").write_bytes(b"epochs = 1")
    assert "name: got 'caf\\udce9', need letters, digits" in refused("caf\udce9.toml")


@pytest.mark.parametrize("threads", [0, 1_000_000, 10**30])
def test_threads(threads):
    Path("fine.toml").write_text("epochs = 1")
    line = refused("fine.toml", "--threads", f"{threads}")
    assert f"threads: got {threads}, need a whole number from 1 up to 1024" in line


@pytest.mark.parametrize("out", [LONG, "pipe"])
def test_folders_that_cannot_be(out):
    os.mkfifo("pipe")
    Path("fine.toml").write_text("epochs = 1")
    assert refused("fine.toml", "--out", out)
