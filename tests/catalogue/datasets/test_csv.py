"""The user's .csv files: what is read, and one clear line for everything that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlpjit.catalogue.datasets import describe, load
from mlpjit.errors import DatasetError

ROWS = [f"{i},{i / 8},{i % 2}" for i in range(12)]
HEADER = "a,b,label"


def written(folder: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> str:
    path = folder / "mine.csv"
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return str(path)


@pytest.mark.parametrize(
    "lines",
    [
        ROWS,
        [HEADER, *ROWS],
        [HEADER, "", *ROWS, "", " , ,"],
        ['"a","b","label"', *ROWS],
        [line.replace(",", ";") for line in [HEADER, *ROWS]],
        [line.replace(",", "\t") for line in ROWS],
        [line.replace(",", " , ") for line in [HEADER, *ROWS]],
        [",".join(reversed(line.split(","))) for line in ["a,b,CLASS", *ROWS]],
    ],
    ids=["bare", "header", "blank lines", "quoted", "semicolons", "tabs", "spaces", "target first"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_forms_of_the_same_table(tmp_path: Path, lines: list[str], end: str, encoding: str) -> None:
    target = 3 if lines[0] in (ROWS[0], ROWS[0].replace(",", "\t")) else None
    data = load({"name": written(tmp_path, *lines, end=end, encoding=encoding), "target": target})
    assert sorted(data.x.sum(axis=0)) == [8.25, 66.0]
    assert data.y.tolist() == [0, 1] * 6
    assert data.classes == ("0", "1")


@pytest.mark.parametrize("name", ["target", "label", "class", "y", "Y", "Label"])
def test_the_target_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    lines = [f"{name},a,b", *(f"{i % 3},{i},{-i}" for i in range(12))]
    data = load(written(tmp_path, *lines))
    assert data.classes == ("0", "1", "2")
    assert data.x[:, 0].tolist() == list(range(12))


@pytest.mark.parametrize(("target", "classes"), [("b", ()), (2, ()), ("label", ("0", "1")), (3, ("0", "1"))])
def test_the_target_can_be_chosen(tmp_path: Path, target: str | int, classes: tuple[str, ...]) -> None:
    data = load({"name": written(tmp_path, HEADER, *ROWS), "target": target})
    assert data.classes == classes
    assert data.x.shape == (12, 2)


def test_classes_may_be_text(tmp_path: Path) -> None:
    data = load(written(tmp_path, "weight,class", *(f"{i},{('ruby', 'opal', 'jade')[i % 3]}" for i in range(12))))
    assert data.classes == ("jade", "opal", "ruby")
    assert data.y.tolist() == [2, 1, 0] * 4
    assert data.x.shape == (12, 1)


def test_regression_can_be_demanded(tmp_path: Path) -> None:
    data = load({"name": written(tmp_path, HEADER, *ROWS), "task": "regression"})
    assert data.task == "regression"
    assert data.y.tolist() == [[0.0], [1.0]] * 6


def changed(row: int, text: str) -> list[str]:
    return [HEADER, *ROWS[:row], text, *ROWS[row + 1 :]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the file is empty"),
        (["", "  "], "the file is empty"),
        ([HEADER], "a header and no samples"),
        ([",".join(["c"] * 100_001)], "100,001 columns, need at most 100,000; .npz files take more"),
        (["label", "1"], "only one column, need at least one input and the target"),
        (changed(4, "1,2"), "line 6 has 2 columns, need 3"),
        (changed(4, "1,2,3,4"), "line 6 has 4 columns, need 3"),
        (changed(4, "1,red,0"), "text 'red' at line 6, column 2 ('b'); need a number"),
        (changed(4, "1_000,1,0"), "text '1_000' at line 6, column 1 ('a'); need a number"),
        (changed(4, "-inf,inf,0"), "-inf at line 6, column 1 ('a') (2 such values); need finite numbers"),
        (changed(4, "1,1e999,0"), "inf at line 6, column 2 ('b'); need finite numbers"),
        (changed(4, "1,2,"), "no target at line 6, column 3 ('label'): ''; missing='drop' leaves such rows out"),
        (changed(4, "1,2,NaN"), "no target at line 6, column 3 ('label'): 'NaN'; missing='drop' leaves such rows out"),
        (changed(4, "1,2,inf"), "no target at line 6, column 3 ('label'): 'inf'"),
        (
            ["label,a,b", *(f"{i % 2},x,x" for i in range(12))],
            "no input is left: 'a': left out: 'x' in every row; 'b': left out: 'x' in every row",
        ),
        (["a,y", *(f"{i},1" for i in range(12))], "only one class, '1'; classification needs at least two"),
        (["a,y", *(f"{i},no" for i in range(12)), "12,yes"], "class 'yes' has 1 sample; each class needs at least 3"),
        ([HEADER, *ROWS[:5]], "5 samples; regression needs at least 10"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, lines: list[str], message: str) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(DatasetError) as caught:
        describe(path)
    assert str(caught.value) == f"dataset {path!r}: {message}" + (
        ", one for each of training, validation and test" if "each class" in message else ""
    )


def test_lines_are_counted_through_blank_ones_and_quotes(tmp_path: Path) -> None:
    lines = ['"a",b,"label\nof the gem"', "", "", *ROWS[:3], "1,x,0"]
    with pytest.raises(DatasetError, match=r"text 'x' at line 8, column 2 \('b'\)"):
        load({"name": written(tmp_path, *lines), "target": 3})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "lable"}, "no column 'lable': did you mean 'label'?"),
        ({"target": "price"}, "no column 'price' (known: a, b, label)"),
        ({"target": 4}, "target = 4, allowed is a column from 1 to 3"),
        ({"target": 0}, "target = 0, allowed is a column from 1 to 3"),
        ({"target": 1.5}, "target = 1.5, allowed is a column's name or its number from 1"),
        ({"target": True}, "target = True, allowed is a column's name or its number from 1"),
    ],
)
def test_wrong_targets(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        describe({"name": written(tmp_path, HEADER, *ROWS), **options})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("header", "target", "message"),
    [
        ([], "label", "target = 'label', but there is no header; give the column's number"),
        (["a,b,a"], "a", "several columns are named 'a'; give the column's number"),
    ],
)
def test_a_name_that_says_no_column(tmp_path: Path, header: list[str], target: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        describe({"name": written(tmp_path, *header, *ROWS), "target": target})
    assert message in str(caught.value)


@pytest.mark.parametrize("row", [0, 5])
def test_text_where_a_regression_needs_numbers(tmp_path: Path, row: int) -> None:
    path = written(tmp_path, *changed(row, "1,2,many"))
    with pytest.raises(DatasetError, match=f"text 'many' as target, line {row + 2}; regression needs numbers"):
        describe({"name": path, "task": "regression"})


@pytest.mark.parametrize("contents", [b"\xff\xfe\x00a,b\n", b"PK\x03\x04\xf0\x9f,1\n"])
def test_a_file_that_is_no_text(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "mine.csv").write_bytes(contents)
    with pytest.raises(DatasetError, match="not a text file in UTF-8"):
        load(str(tmp_path / "mine.csv"))


def test_a_cell_too_large(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a readable CSV file"):
        load(written(tmp_path, HEADER, '1,"' + "9" * 140_000 + '",1'))


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").mkdir()
    with pytest.raises(DatasetError, match="Is a directory"):
        load(str(tmp_path / "mine.csv"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(arrays(np.float64, (10, 2), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_every_number_is_read_to_the_last_bit(tmp_path: Path, rows: np.ndarray) -> None:
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    data = load({"name": written(tmp_path, *lines), "target": 2, "task": "regression", "scaling": "none"})
    assert data.x.tobytes() == rows[:, :1].tobytes()
    assert data.y.tobytes() == rows[:, 1:].tobytes()


def test_the_same_numbers_in_both_formats_are_the_same_data(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x=np.array([[i, i / 8] for i in range(12)]), y=np.arange(12) % 2)
    assert describe(str(path)).data_hash == describe(written(tmp_path, HEADER, *ROWS)).data_hash
