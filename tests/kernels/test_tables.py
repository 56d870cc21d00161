"""What kernels and Python share is declared once: it is filled in whole, and nothing of it is there for nobody."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import types

from mlpjit.kernels import tables
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.functions import function_hash
from mlpjit.kernels.language import Int, Ints, kernel, load
from mlpjit.kernels.run.beginning import BEGINNING_NUMBER
from mlpjit.kernels.tables import LAYER, PLAN, STAGE, STATUS, filled, filled_rows

PACKAGE = Path(tables.__file__).parents[1]
TABLES = {name: table for name, table in vars(tables).items() if name.isupper() and hasattr(table, "_fields")}
ALONE = {
    name for name, value in vars(tables).items()
    if name.isupper() and name not in TABLES and name != "TYPE_CHECKING" and isinstance(value, int)
}  # fmt: skip


def test_columns_are_numbered_one_by_one():
    assert set(TABLES) >= {"PLAN", "ARRAY", "LAYER", "TENSOR", "STAGE", "NUMBER", "CARRY", "CONTROL", "STATUS"}
    for table in TABLES.values():
        assert table == tuple(range(len(table)))


def test_a_row_holds_its_values_by_name_and_arrays_by_address():
    state = np.zeros(3)
    row = filled(STAGE, {"function": 7, "scratch": 8, "settings": 9, "tensors": 10, "state": state})
    assert row.dtype == np.int64
    assert (row[STAGE.function], row[STAGE.state], row[STAGE.tensors]) == (7, state.ctypes.data, 10)


def test_tables_of_one_width_keep_their_names():
    """Their columns are equal as tuples."""
    assert STATUS == BEGINNING_NUMBER
    for table in (STATUS, BEGINNING_NUMBER):
        rows = filled_rows(table, [dict.fromkeys(table._fields, 1), dict.fromkeys(table._fields, 2)], "float64")
        assert (rows.dtype, rows.tolist()) == (np.float64, [[1.0] * 4, [2.0] * 4])


@pytest.mark.parametrize("wrong", ["missing ['tensors'], unknown []", "missing [], unknown ['tensor']"])
def test_a_name_that_is_missing_or_unknown_is_an_error(wrong):
    values = dict.fromkeys(STAGE._fields, 0)
    if "missing []" in wrong:
        values["tensor"] = 0
    else:
        del values["tensors"]
    with pytest.raises(ValueError, match=r"a row of Stage: ") as raised:
        filled(STAGE, values)
    assert wrong in str(raised.value)


def reads(folder: Path) -> set[str]:
    """Every `TABLE.column` and every single name that stands in the code of a folder."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add(f"{node.value.id}.{node.attr}")
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
    return found


IN_KERNELS, ANYWHERE = reads(PACKAGE / "kernels"), reads(PACKAGE)


@pytest.mark.parametrize("name", sorted({f"{n}.{f}" for n, table in TABLES.items() for f in table._fields}))
def test_kernels_use_every_column(name):
    assert name in IN_KERNELS


@pytest.mark.parametrize("name", sorted(ALONE))
def test_every_single_number_is_used(name):
    assert name in ANYWHERE


BATCH, WIDTH = PLAN.batch, len(LAYER)


@kernel
def by_name(plan: Ints) -> Int:
    return load(plan, PLAN.batch) * 1000 + len(LAYER)


@kernel
def by_number(plan: Ints) -> Int:
    return load(plan, BATCH) * 1000 + WIDTH


def test_a_kernel_reads_columns_by_name():
    plan = filled(PLAN, dict.fromkeys(PLAN._fields, 0) | {"batch": 64})
    made = jit.load(by_name, "float32", key=function_hash(by_name.function))
    assert made.call(plan.ctypes.data) == 64_000 + len(LAYER)


def instructions(function: object) -> list[str]:
    """What LLVM makes of a kernel's body, without the names of values."""
    made = numba.cfunc(types.int64(types.CPointer(types.int64)), **jit.OPTIONS)(jit.link(function, "float32"))
    body = made.inspect_llvm().partition("define")[2].partition("}")[0]
    lines = body.splitlines()[1:]
    return [re.sub(r"%[\w.\"]+|![\w.]+|#\d+", "", line).strip() for line in lines]


def test_a_column_costs_nothing():
    assert any(f"{8 * PLAN.batch}" in line for line in instructions(by_number.function))
    assert instructions(by_name.function) == instructions(by_number.function)
