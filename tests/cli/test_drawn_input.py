"""Three hundred drawn studies and data files: each is planned, or refused in lines of its own; nothing else."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mlpjit.cli import app
from mlpjit.study.file import FINAL_KEYS, HEAD_KEYS, TIMING_KEYS, TUNING_KEYS
from mlpjit.study.sweeps import FIELDS

STUDY = [
    "epochs = 2", "dataset = 'iris'", "[sweep]", "optimizer = ['sgd', {name = 'adam', b1 = [0.8, 0.9]}]",
    "learning_rate = [0.01, 0.1]", "seed = [0, 1]", "[final]", "per = 'optimizer'", "seeds = [7, 8]", "[timing]",
    "width = [8]",
]  # fmt: skip
SAID = "'adam'", "'relu'", "'none'", "'digits'", "1979-05-27", "07:32:00", "'\\u0000'", "'x.csv'", "{}", "''"
NAMES = "name", "b1", "log", "linear", "space"
SCALARS = st.one_of(
    st.integers(-2, 3), st.integers(-(2**70), 2**70), st.floats(), st.booleans(),
    st.sampled_from(SAID),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'"), max_size=9).map(lambda t: f"'{t}'"),
)  # fmt: skip
WRITTEN = SCALARS.map(lambda value: str(value).lower() if isinstance(value, bool | float) else str(value))
VALUES = st.recursive(
    WRITTEN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        inner.map(lambda value: f"{{name = {value}}}"),
        st.tuples(st.sampled_from(NAMES), inner).map(lambda pair: "{" + " = ".join(pair) + "}"),
    ),
    max_leaves=4,
)  # fmt: skip
KEYS = st.sampled_from(
    [*FIELDS, *HEAD_KEYS, *FINAL_KEYS, *TIMING_KEYS, *TUNING_KEYS, "draws", "sweep", "final", "lr", '""']
)
LINES = st.one_of(
    st.tuples(KEYS, VALUES).map(" = ".join),
    st.sampled_from(["[sweep]", "[[sweep]]", "[tuning]", "[", "= 1", "\x00", '"""']),
)
NUMBERS = [
    "0",
    "1",
    "-1",
    "0.5",
    "1e300",
    "-1e308",
    "1e-320",
    "nan",
    "inf",
    "",
    "red",
    "1_0",
    '"',
    "2020-01-01",
    "\x00",
    "é",
    "=cmd()",
]
BROAD = settings(
    max_examples=100, derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def planned_or_refused() -> None:
    """Plan the study; what is refused is told in lines, and nothing is written."""
    before = sorted(Path().rglob("*"))
    result = CliRunner().invoke(app, ["plan", "drawn.toml", "--threads", "1"])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (0, 2, 3), result.output
    assert sorted(Path().rglob("*")) == before
    if result.exit_code:
        lines = result.stderr.splitlines()
        assert result.stdout == ""
        assert 1 <= len(lines) <= 10
        assert all(line.startswith("error: ") and len(line) <= 320 for line in lines)
        assert not any(sign in result.stderr for sign in ("Traceback", "<class ", " object at 0x"))


@BROAD
@given(
    st.lists(st.tuples(st.integers(0, len(STUDY)), st.booleans(), LINES), min_size=1, max_size=3), st.integers(0, 400)
)
def test_studies(changes, cut):
    lines = list(STUDY)
    for place, replaced, line in changes:
        lines[place : place + replaced] = [line]
    text = "\n".join(lines)
    Path("drawn.toml").write_text(text[: -cut or None] if cut < 20 else text, encoding="utf-8")
    planned_or_refused()


CELLS = st.one_of(st.sampled_from(NUMBERS), st.integers(-9, 9).map(str))
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=3)
HEADERS = st.lists(st.sampled_from(["a", "b", "target", "y", "0", "1", "", "=cmd()", "<b>"]), max_size=4)


@BROAD
@given(
    HEADERS, ROWS, st.integers(1, 4), st.sampled_from(",;\t"), st.sampled_from(["", ", target = 1", ", target = 'a'"])
)
def test_tables(header, odd, columns, delimiter, more):
    plain = [[str(row % (5 + column)) for column in range(columns)] for row in range(24)]
    table = [*([header] if header else []), *plain, *odd]
    Path("drawn.csv").write_text("\n".join(delimiter.join(cells) for cells in table), encoding="utf-8")
    Path("drawn.toml").write_text(f"epochs = 1\ndataset = {{name = 'drawn.csv'{more}}}")
    planned_or_refused()


def archive() -> bytes:
    held = io.BytesIO()
    np.savez(held, x=np.arange(48.0).reshape(24, 2), y=np.arange(24) % 2)
    return held.getvalue()


IMAGES = b"\0\0\x08\x03" + struct.pack(">III", 24, 1, 2) + bytes(range(48))
LABELS = b"\0\0\x08\x01" + struct.pack(">I", 24) + bytes([0, 1] * 12)
FILES = {"drawn.npz": archive(), "images-ubyte": IMAGES, "images-ubyte.gz": gzip.compress(IMAGES, mtime=0)}


@BROAD
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 99),
)
def test_bytes_of_arrays_and_images(name, changes, cut):
    content = bytearray(FILES[name])
    for place, value in changes:
        content[place % len(content)] = value
    Path(name).write_bytes(content[: -cut or None] if cut < 50 else content)
    Path("labels-ubyte").write_bytes(LABELS)
    Path("labels-ubyte.gz").write_bytes(gzip.compress(LABELS))
    Path("drawn.toml").write_text(f"epochs = 1\ndataset = '{name}'")
    planned_or_refused()
