"""A user's rule is another rule after any edit that its compiled code could feel, and the same one after any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError
from mlpjit.extending import files

HELPER = """
import numpy as np
from numba import njit

K = 0.5
TABLE = np.array([0.5, 0.25])
def plain(g, k=0.5):
    return deeper(g) * k
def deeper(g):
    return g + K
@njit
def compiled(g):
    return g * 0.5
class Settings:
    rate = 0.5
"""
RULE = """
import math
import numpy as np
import helper
import helper as h
from helper import TABLE, compiled, plain
from mlpjit.extending import elementwise, layerwise, load, store

NUMBER, WHOLE, SWITCH, WORD, BYTES = 0.5, 3, True, "half", b"half"
SINGLE = np.float32(0.5)
DOUBLE = np.float64(0.5)
ARRAY = np.array([0.5, 0.25], dtype=np.float32)
NESTED = (0.5, (np.float32(0.25), "half"))
NOTHING = None
TYPE = np.float32
FUNCTION = np.sqrt
CHOSEN = math.exp

def scaled(by):
    def inner(x, shift=0.125):
        return x * by + shift
    return inner
HALF = scaled(0.5)

def factors(step, learning_rate, b1):
    return learning_rate * helper.K + SINGLE, b1

@elementwise(scalars=factors, state=("m",), b1=0.9)
def mine(g, m, rate, b1, offset=0.0625):
    m = b1 * m + (1.0 - b1) * plain(g)
    used = (NUMBER, WHOLE, SWITCH, WORD, BYTES, DOUBLE, ARRAY[0], NESTED, NOTHING, TYPE(1.0), FUNCTION(g), CHOSEN(g))
    return rate * m * TABLE[0] * compiled(g) * HALF(g) * h.TABLE[1] * helper.compiled(g) + offset, m

@layerwise(extra=lambda rows, columns, kind: rows + 1)
def kept(rows, columns, params, grads, learning_rate):
    for i in range(rows * columns):
        store(params, i, load(params, i) - learning_rate * load(grads, i))
"""
# What is edited, in the file itself and in the module it imports.
EDITS = [
    ("NUMBER, WHOLE, SWITCH, WORD, BYTES = 0.5", "NUMBER, WHOLE, SWITCH, WORD, BYTES = 0.6"),
    ("0.5, 3, True", "0.5, 4, True"), ("0.5, 3, True", "0.5, 3, False"), ("0.5, 3, True", "0.5, 3.0, True"),
    ('"half", b"half"', '"Half", b"half"'), ('"half", b"half"', '"half", b"Half"'),
    ("SINGLE = np.float32(0.5)", "SINGLE = np.float32(0.6)"), ("SINGLE = np.float32(0.5)", "SINGLE = np.float64(0.5)"),
    ("DOUBLE = np.float64(0.5)", "DOUBLE = np.float64(0.6)"),
    ("[0.5, 0.25], dtype=np.float32", "[0.5, 0.26], dtype=np.float32"),
    ("[0.5, 0.25], dtype=np.float32", "[0.5, 0.25], dtype=np.float64"), ("(np.float32(0.25)", "(np.float32(0.26)"),
    ('0.25), "half"', '0.25), "Half"'), ("NOTHING = None", "NOTHING = 1"), ("TYPE = np.float32", "TYPE = np.float64"),
    ("FUNCTION = np.sqrt", "FUNCTION = np.cbrt"), ("CHOSEN = math.exp", "CHOSEN = math.log"),
    ("HALF = scaled(0.5)", "HALF = scaled(0.6)"), ("shift=0.125", "shift=0.25"), ("x * by + shift", "x * by - shift"),
    ("helper.K + SINGLE", "helper.K - SINGLE"), ("b1=0.9", "b1=0.8"), ('state=("m",)', 'state=("n",)'),
    ("offset=0.0625", "offset=0.125"), ("(1.0 - b1) * plain", "(1.0 + b1) * plain"), ("TABLE[0] *", "TABLE[1] *"),
]  # fmt: skip
HELPER_EDITS = [
    ("K = 0.5", "K = 0.6"), ("[0.5, 0.25]", "[0.5, 0.26]"), ("k=0.5", "k=0.6"), ("deeper(g) * k", "deeper(g) / k"),
    ("return g + K", "return g - K"), ("g * 0.5", "g * 0.6"), ("@njit\n", "@njit(fastmath=True)\n"),
    ("TABLE = np.array([0.5", "TABLE = np.array([0.75"),
]  # fmt: skip
HARMLESS = [
    ("import math\n", "import math\n\n# a comment\n"), ("    return rate * m", "\n    return rate * m"),
    ("def scaled(by):", "UNUSED = 3\ndef scaled(by):"),
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("own_records_are_forgotten")


@pytest.fixture(autouse=True)
def the_helper_is_forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("helper", None)


def run_id(folder: Path, rule: str = RULE, helper: str = HELPER, name: str = "mine") -> str:
    """Return the id of a run with a rule as it stands in a file, as another process would read it."""
    sys.modules.pop("helper", None)
    (folder / "helper.py").write_text(helper)
    (folder / "mine.py").write_text(rule)
    files.load(folder / "mine.py")
    return RunConfig(optimizer=name).run_id


def edited(text: str, change: tuple[str, str]) -> str:
    assert text.count(change[0]) == 1, change
    return text.replace(*change)


@pytest.mark.parametrize("change", EDITS, ids=lambda change: change[1])
def test_an_edit_of_the_file_makes_another_run(change: tuple[str, str], tmp_path: Path) -> None:
    assert run_id(tmp_path, edited(RULE, change)) != run_id(tmp_path)


@pytest.mark.parametrize("change", HELPER_EDITS, ids=lambda change: change[1].strip())
def test_an_edit_of_a_helper_makes_another_run(change: tuple[str, str], tmp_path: Path) -> None:
    assert run_id(tmp_path, helper=edited(HELPER, change)) != run_id(tmp_path)


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change[1].strip())
def test_what_compiled_code_cannot_feel_changes_nothing(change: tuple[str, str], tmp_path: Path) -> None:
    assert run_id(tmp_path, edited(RULE, change)) == run_id(tmp_path)


def test_how_much_a_rule_keeps_counts_too(tmp_path: Path) -> None:
    more = edited(RULE, ("rows + 1", "rows + 2"))
    assert run_id(tmp_path, more, name="kept") != run_id(tmp_path, name="kept")


@pytest.mark.parametrize("value", ["[0.5]", "{'half': 0.5}", "object()", "helper.Settings", "helper.Settings()"])
def test_what_no_hash_can_cover_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine:? reads FUNCTION, a .*: (it may read|write) .*numbers"):
        run_id(tmp_path, edited(RULE, ("FUNCTION = np.sqrt", f"FUNCTION = {value}")))
