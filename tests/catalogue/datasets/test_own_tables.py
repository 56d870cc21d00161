"""Tables as people have them: the target in the middle, text, missing cells, dates, row numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from mlpjit.catalogue.datasets import describe, load, split
from mlpjit.catalogue.datasets.columns import MOST_ONE_HOT
from mlpjit.catalogue.datasets.specs import canonical
from mlpjit.config.memory import Dataset
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, DatasetError

COLOURS = ("red", "green", "blue")


def written(folder: Path, *lines: str) -> str:
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "mine.csv")


def table(folder: Path, column: list[str], header: str = "a,odd,y") -> str:
    """A table with one odd column between a number and a target of two classes."""
    return written(folder, header, *(f"{i / 8},{cell},{i % 2}" for i, cell in enumerate(column)))


def cells(text: str, count: int = 24) -> list[str]:
    return [text.format(i=i, colour=COLOURS[i % 3]) for i in range(count)]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a,price,b"], "There are a, price, b: say which, as target='NAME'"),
        ([], "There are 1 to 3: say which, as target=3"),
        (["label,a,y"], "There are label, y: say which, as target='NAME'"),
        (["y,a,y"], "There are y, y: say which, as target='NAME'"),
        (
            [",".join(f"c{i}" for i in range(20))],
            "There are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, ...: say which",
        ),
    ],
)
def test_a_target_is_never_guessed(tmp_path: Path, lines: list[str], told: str) -> None:
    width = len(lines[0].split(",")) if lines else 3
    rows = [",".join([str(i)] * width) for i in range(12)]
    with pytest.raises(DatasetError) as caught:
        load(written(tmp_path, *lines, *rows))
    assert f"which column is the target? {told}" in str(caught.value)


@pytest.mark.parametrize("first", ["0,1,2", "1,2,3", ",0,1"])
def test_a_header_that_counts_columns_is_no_sample(tmp_path: Path, first: str) -> None:
    data = load({"name": written(tmp_path, first, *(f"{i},{i / 8},{i % 2}" for i in range(12))), "target": 3})
    assert len(data.x) == 12
    assert data.x.shape[1] == (1 if first.startswith(",") else 2)
    assert ("left out: column 1, which has no name" in data.notes) == first.startswith(",")


def test_few_categories_get_a_column_each(tmp_path: Path) -> None:
    data = load(table(tmp_path, cells("{colour}")))
    assert [column.name for column in data.columns] == ["a", "odd = blue", "odd = green", "odd = red"]
    assert np.array_equal(data.x[:3, 1:], [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert data.notes == ("'odd': 3 categories, one column each",)
    assert data.target == "y"


def test_two_categories_are_0_and_1(tmp_path: Path) -> None:
    data = load(table(tmp_path, ["no", "yes"] * 12))
    assert data.x[:, 1].tolist() == [0.0, 1.0] * 12
    assert data.columns[1].categories == ("yes",)


def test_many_categories_are_numbered(tmp_path: Path) -> None:
    many = MOST_ONE_HOT + 1
    data = load(table(tmp_path, [f"kind {i % many:02d}" for i in range(60)]))
    assert data.x[:, 1].tolist() == [i % many for i in range(60)]
    assert data.notes == (f"'odd': {many} categories, numbered by alphabet",)


def test_a_text_for_each_row_is_left_out_and_said_so(tmp_path: Path) -> None:
    data = load(table(tmp_path, cells("name {i}")))
    assert data.x.shape == (24, 1)
    assert data.notes == ("'odd': left out: 24 different texts in 24 rows",)


@pytest.mark.parametrize("missing", ["", " ", "NA", "?", "nan", "NULL"])
def test_missing_numbers_are_the_training_median_and_marked(tmp_path: Path, missing: str) -> None:
    path = table(tmp_path, [missing if i % 5 == 2 else str(i * i) for i in range(40)])
    data = load({"name": path, "scaling": "none"})
    assert data.notes == ("'odd': 8 of 40 missing: the training part's median, and marked",)
    parts = split({"name": path, "scaling": "none"}, 3, "float64")
    gaps = np.isnan(data.x[:, 1])
    train = data.x[parts.rows_train, 1]
    for part in ("train", "validation", "test"):
        rows, x = getattr(parts, f"rows_{part}"), getattr(parts, f"x_{part}")
        assert np.array_equal(x[:, 2], gaps[rows].astype(float))
        assert set(x[gaps[rows], 1].tolist()) <= {float(np.median(train[~np.isnan(train)]))}
        assert np.array_equal(x[~gaps[rows], 1], data.x[rows[~gaps[rows]], 1])


def test_missing_text_is_a_category_of_its_own(tmp_path: Path) -> None:
    data = load(table(tmp_path, ["", "red", "blue"] * 8))
    assert [column.name for column in data.columns[1:]] == ["odd = blue", "odd = red", "odd = (missing)"]
    assert data.x[:, 3].tolist() == [1.0, 0.0, 0.0] * 8


def test_rows_with_gaps_may_be_left_out_or_refused(tmp_path: Path) -> None:
    path = table(tmp_path, ["" if i == 4 else str(i) for i in range(24)])
    data = load({"name": path, "missing": "drop"})
    assert (len(data.x), data.notes) == (23, ("left out: 1 of 24 rows, with missing cells",))
    with pytest.raises(DatasetError, match=r"an empty cell at line 6, column 2 \('odd'\); need a value"):
        load({"name": path, "missing": "refuse"})


GAPS_OF_A_TARGET = [f"{i},{'' if i == 4 else i},{'NA' if i in (7, 9) else i % 2}" for i in range(24)]


def test_rows_without_a_target_are_left_out_with_those_that_have_gaps(tmp_path: Path) -> None:
    data = load({"name": written(tmp_path, "a,odd,y", *GAPS_OF_A_TARGET), "missing": "drop"})
    assert data.notes == ("left out: 3 of 24 rows, with missing cells, 2 of them without a target",)
    assert data.x[:, 0].tolist() == [i for i in range(24) if i not in (4, 7, 9)]
    assert data.classes == ("0", "1")
    whole = [line for at, line in enumerate(GAPS_OF_A_TARGET) if at != 4]
    assert len(load({"name": written(tmp_path, "a,odd,y", *whole), "missing": "drop"}).x) == 21


@pytest.mark.parametrize("missing", ["fill", "refuse"])
def test_a_target_is_never_filled(tmp_path: Path, missing: str) -> None:
    lines = [line for at, line in enumerate(GAPS_OF_A_TARGET) if at != 4]
    told = r"no target at line 8, column 3 \('y'\): 'NA'; missing='drop' leaves such rows out$"
    with pytest.raises(DatasetError, match=told):
        load({"name": written(tmp_path, "a,odd,y", *lines), "missing": missing})


def test_a_frame_drops_rows_without_a_target_too() -> None:
    frame = pandas.DataFrame({"a": np.arange(24.0), "y": [None, *"ab" * 11, "a"]})
    assert Dataset(frame, missing="drop").info.classes == (("a", 12), ("b", 11))
    with pytest.raises(DatasetError, match=r"no target at line 1, .*; missing='drop' leaves such rows out"):
        Dataset(frame)


def test_a_text_for_nothing_is_no_class_of_arrays() -> None:
    with pytest.raises(DatasetError, match=r"no target at row 24: 'nan'$"):
        Dataset(np.arange(24.0)[:, None], np.array([*"ab" * 11, "a", np.nan]))


def test_a_column_without_any_number_in_training_is_0(tmp_path: Path) -> None:
    held = int(split({"name": table(tmp_path, ["1"] * 24), "scaling": "none"}, 0).rows_test[0])
    path = table(tmp_path, ["7" if i == held else "" for i in range(24)])
    parts = split({"name": path, "scaling": "none"}, 0)
    assert not parts.x_train[:, 1].any()
    assert sorted(set(parts.x_test[:, 1].tolist())) == [0.0, 7.0]


def test_a_column_without_any_cell_is_left_out(tmp_path: Path) -> None:
    assert load(table(tmp_path, [""] * 24)).notes == ("'odd': left out: missing in every row",)
    assert load({"name": table(tmp_path, ["NA"] * 24), "categorical": "odd"}).x.shape == (24, 1)
    with pytest.raises(DatasetError, match="no input is left: 'a': left out: missing in every row"):
        load(written(tmp_path, "a,y", *(f"nan,{i % 2}" for i in range(24))))


@pytest.mark.parametrize(("value", "target"), [("{i}", "{i}"), ("{c}.0", "{c}"), ("t{c}", "t{c}")])
def test_an_input_that_is_the_target_is_told(tmp_path: Path, value: str, target: str) -> None:
    lines = [f"{i % 5},{value.format(i=i, c=i % 2)},{target.format(i=i, c=i % 2)}" for i in range(24)]
    data = load(written(tmp_path, "a,odd,y", *lines))
    assert "warning: 'odd' is the target once more; drop=['odd'] leaves it out" in data.notes


def test_a_second_column_with_the_name_of_the_target_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "Target,a,target", *(f"{i % 2},{i},{i % 3}" for i in range(24)))
    with pytest.raises(DatasetError, match=r"column 1 is named 'Target' as the target is: drop=\[1\] leaves it out"):
        load({"name": path, "target": "target"})
    assert load({"name": path, "target": "target", "drop": [1]}).x.shape == (24, 1)


def test_a_table_without_a_header_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"{i},{i % 2}" for i in range(24)))
    assert load({"name": path, "target": 2}).notes[0] == "no header: line 1 holds a sample"
    assert len(load({"name": path, "target": 2}).x) == 24


@pytest.mark.parametrize("index", [True, False])
def test_the_header_that_pandas_gives_an_array(tmp_path: Path, index: bool) -> None:
    path = str(tmp_path / "array.csv")
    pandas.DataFrame(np.arange(72.0).reshape(24, 3) % 7).to_csv(path, index=index)
    data = load({"name": path, "target": 4 if index else 3, "task": "regression"})
    assert data.x.shape == (24, 2)
    assert [column.name for column in data.columns] == ["0", "1"]


CANNOT = {
    "huge": (["1e308", "-1e308"], {}, "column 2 holds numbers too large to standardize"),
    "huge in one part": (["1e308"] * 12 + ["-1e308"] * 12, {}, "column 2 holds numbers too large to standardize"),
    "subnormal": (["1e-320", "2e-320"], {}, "column 2 varies by less than 2.2e-308, too little to standardize"),
    "divided": (["1", "2"], {"scaling": 1e-310}, "scaling = 1e-310, by which its numbers are too large for float64"),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_no_run_could_scale_is_refused_by_the_plan(tmp_path: Path, name: str) -> None:
    values, more, told = CANNOT[name]
    path = table(tmp_path, (values * 12)[:24])
    with pytest.raises(DatasetError, match=told):
        describe({"name": path, **more})


def test_what_float32_cannot_hold_is_refused_by_the_plan(tmp_path: Path) -> None:
    path = {"name": table(tmp_path, ["1e300", "2e300"] * 12), "scaling": "none"}
    with pytest.raises(ConfigError, match=r"numbers up to 2e\+300 after scaling: need dtype 'float64'"):
        RunConfig(dataset=path)
    assert RunConfig(dataset=path, dtype="float64").data.largest == 2e300


def test_what_varies_very_little_is_standardized(tmp_path: Path) -> None:
    parts = split(table(tmp_path, [f"{i}e-300" for i in range(24)]), 0, "float64")
    assert parts.x_train[:, 1].std() == pytest.approx(1.0)


def test_numbers_may_be_categories(tmp_path: Path) -> None:
    path = table(tmp_path, [str(i % 3 + 10) for i in range(24)])
    data = load({"name": path, "categorical": "odd"})
    assert [column.name for column in data.columns[1:]] == ["odd = 10", "odd = 11", "odd = 12"]


@pytest.mark.parametrize("date", ["2019-03-{i:02d}", "2019-03-{i:02d} 10:00", "{i:02d}.03.2019", "03/{i:02d}/19"])
def test_dates_are_refused_with_a_remedy(tmp_path: Path, date: str) -> None:
    path = table(tmp_path, cells(date))
    with pytest.raises(DatasetError, match=r"column 'odd' holds dates, as '.*drop=\['odd'\]"):
        load(path)
    assert load({"name": path, "drop": ["odd"]}).notes == ("left out: 'odd'",)


@pytest.mark.parametrize(("header", "warned"), [("a,order_id,y", True), ("a,odd,y", False)])
def test_an_identifier_is_warned_about(tmp_path: Path, header: str, warned: bool) -> None:
    data = load(table(tmp_path, [str((i * 7) % 24) for i in range(24)], header))
    assert any("numbers the rows" in note for note in data.notes) is warned


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": "od"}, "no column 'od': did you mean 'odd'?"),
        ({"drop": ["a", "odd"]}, "no input is left"),
        ({"drop": "y"}, "the target, 'y', cannot be left out"),
        ({"drop": 1.5}, "drop = 1.5, allowed are columns by name or by number from 1"),
        ({"missing": "guess"}, "missing = 'guess', allowed is 'fill', 'drop' or 'refuse'"),
    ],
)
def test_wrong_choices_are_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load({"name": table(tmp_path, cells("{i}")), **options})
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1


def test_what_was_chosen_is_kept_with_the_run(tmp_path: Path) -> None:
    spec = {"name": table(tmp_path, cells("{colour}")), "drop": ["a"], "categorical": ["odd"], "target": "y"}
    kept = canonical(spec)
    assert kept == canonical(kept)
    assert load(kept).data_hash == load(spec).data_hash == describe(spec).data_hash


def test_other_numbers_are_other_data(tmp_path: Path) -> None:
    hashes = {load(table(tmp_path, column)).data_hash for column in (cells("{colour}"), cells("{i}"), ["red", ""] * 12)}
    assert len(hashes) == 3


def test_a_parquet_file_is_the_same_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    lines = [f"{i / 8},{'' if i % 7 == 3 else i},{COLOURS[i % 3]},{i % 2}" for i in range(30)]
    path = written(tmp_path, "a,count,colour,y", *lines)
    pandas.read_csv(path).to_parquet(tmp_path / "mine.parquet")
    one, other = load(path), load(str(tmp_path / "mine.parquet"))
    assert (one.columns, one.notes, one.data_hash) == (other.columns, other.notes, other.data_hash)


@pytest.mark.parametrize("missing", ["fill", "drop", "refuse"])
def test_a_table_without_rows_is_one_line(tmp_path: Path, missing: str) -> None:
    """A header alone tells itself in a text file; other tables have columns of no cells."""
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"a": [], "y": []}).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(DatasetError, match="no input is left: 'a': left out: missing in every row"):
        load({"name": str(tmp_path / "mine.parquet"), "missing": missing})


def test_a_parquet_file_that_announces_more_than_is_free_is_not_read(tmp_path: Path, monkeypatch) -> None:
    """A column of one value takes a few bytes, however long it is."""
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"a": np.zeros(10**5), "y": 1}).to_parquet(tmp_path / "mine.parquet")
    monkeypatch.setattr("mlpjit.catalogue.datasets.fitting.free_memory_bytes", lambda: 10**6)
    with pytest.raises(DatasetError, match=r"200,000 numbers take 0\.0048 GB to read, and 0\.001 GB are free"):
        load(str(tmp_path / "mine.parquet"))


@pytest.mark.parametrize("cell", ["{i},5", "-{i},25", '"1,{i}00.5"', "{i},5e-3", ",{i}"])
def test_numbers_with_a_comma_are_no_categories(tmp_path: Path, cell: str) -> None:
    """Semicolons between, as spreadsheets write them where the decimal point is a comma."""
    rows = [f"{i};{cell.format(i=i % 5)};{i % 2}" for i in range(24)]
    with pytest.raises(DatasetError, match=r"'odd'\) has numbers with a comma, as .*: need a .* categorical=\['odd'\]"):
        load(written(tmp_path, "a;odd;y", *rows))
    with pytest.raises(DatasetError, match=r"the target, column 2 \('odd'\), has numbers with a comma"):
        load({"name": written(tmp_path, "a;odd;y", *rows), "target": "odd"})
    found = load({"name": written(tmp_path, "a;odd;y", *rows), "categorical": "odd"})
    assert [column.kind for column in found.columns] == ["number"] + ["one of"] * 5


def test_texts_beside_what_looks_like_a_number_with_a_comma_are_texts(tmp_path: Path) -> None:
    rows = [f"{i};{('1,5', 'two,5')[i % 2]};{i % 2}" for i in range(24)]
    assert load(written(tmp_path, "a;odd;y", *rows)).columns[1].categories == ("two,5",)
