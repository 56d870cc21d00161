"""How a table's columns become inputs: numbers as they are, text by its categories, missing cells marked.

Docs: docs/data.md says the same to users.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.records import Column, Floats
from mlpjit.errors import DatasetError, data_option

MOST_ONE_HOT = 16  # more different texts become one column of whole numbers
DATES = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}( .*)?")
IDENTIFIERS = re.compile(r"(.*[\W_])?(id|ids|index|no|nr|number|key|uuid)", re.IGNORECASE)
LEAST_DISTINCT = 20  # fewer different texts are categories, however few rows there are
MISSING_NAME = "(missing)"


@dataclass(frozen=True)
class Cells:
    """A column as it was read. numbers: (n,) float64, NaN for missing; texts: of a text column, "" for missing."""

    name: str
    numbers: Floats
    texts: Sequence[str] | None = None


@dataclass(frozen=True)
class Inputs:
    """What columns became. x: (n, inputs) float64, NaN where the training part's median belongs."""

    x: Floats
    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def encode_columns(label: str, columns: Sequence[Cells]) -> Inputs:
    """Return the inputs made of a table's columns.

    Raises DatasetError for dates, and where nothing is left to learn from.
    """
    made: list[tuple[Column, Floats]] = []
    notes: list[str] = []
    for cells in columns:
        encoded, note = _numeric(cells) if cells.texts is None else _text(label, cells)
        made += encoded
        notes += [note] if note else []
    if not made:
        raise DatasetError(f"{label}: no input is left: {'; '.join(notes)}")
    return Inputs(np.column_stack([values for _, values in made]), tuple(c for c, _ in made), tuple(notes))


def _numeric(cells: Cells) -> tuple[list[tuple[Column, Floats]], str]:
    missing = np.isnan(cells.numbers)
    column = Column(cells.name, "number")
    if missing.all():
        return [], f"{cells.name!r}: left out: missing in every row"
    if not missing.any():
        return [(column, cells.numbers)], _identifier(cells)
    indicator = (Column(f"{cells.name} missing", "indicator", of=cells.name), missing.astype(np.float64))
    count = f"{int(missing.sum()):,} of {len(missing):,} missing"
    return [(column, cells.numbers), indicator], f"{cells.name!r}: {count}: the training part's median, and marked"


def _identifier(cells: Cells) -> str:
    """Return a warning where each row has its own whole number."""
    values = cells.numbers
    if len(values) < LEAST_DISTINCT or not (values == np.floor(values)).all() or len(np.unique(values)) < len(values):
        return ""
    if not (IDENTIFIERS.fullmatch(cells.name) or (np.diff(values) == 1).all()):
        return ""
    return f"warning: {cells.name!r} numbers the rows; {data_option('drop', [cells.name])} leaves it out"


def _text(label: str, cells: Cells) -> tuple[list[tuple[Column, Floats]], str]:
    assert cells.texts is not None
    texts = np.array(cells.texts, dtype=np.str_)
    present = texts[texts != ""]
    _refuse_dates(label, cells.name, present)
    categories = tuple(np.unique(present).tolist())
    if len(categories) > max(LEAST_DISTINCT, len(texts) // 2):
        many = f"{len(categories):,} different texts in {len(texts):,} rows"
        return [], f"{cells.name!r}: left out: {many}"
    if len(present) < len(texts):
        texts = np.where(texts == "", MISSING_NAME, texts)
        categories = (*categories, MISSING_NAME)
    return _by_category(cells.name, texts, categories)


def _by_category(
    name: str, texts: npt.NDArray[np.str_], categories: tuple[str, ...]
) -> tuple[list[tuple[Column, Floats]], str]:
    """Return a column of 0 and 1 for two categories, one for each of a few, one of whole numbers for many."""
    told = f"{len(categories)} categories"
    if not categories:
        return [], f"{name!r}: left out: missing in every row"
    if len(categories) == 1:
        return [], f"{name!r}: left out: {categories[0]!r} in every row"
    if len(categories) == 2:
        column = Column(f"{name} = {categories[1]}", "one of", categories[1:], name)
        return [(column, (texts == categories[1]).astype(np.float64))], f"{name!r}: {told}, 0 and 1"
    if len(categories) <= MOST_ONE_HOT:
        columns = [Column(f"{name} = {each}", "one of", (each,), name) for each in categories]
        made = [(c, (texts == c.categories[0]).astype(np.float64)) for c in columns]
        return made, f"{name!r}: {told}, one column each"
    codes = {each: float(number) for number, each in enumerate(categories)}
    values = np.array([codes[each] for each in texts.tolist()])
    return [(Column(name, "ordinal", categories, name), values)], f"{name!r}: {told}, numbered by alphabet"


def _refuse_dates(label: str, name: str, present: npt.NDArray[np.str_]) -> None:
    found = [each for each in present.tolist() if DATES.fullmatch(each)]
    if 2 * len(found) > len(present):
        left = data_option("drop", [name])
        remedy = f"make numbers of them, as a year or days since the first, or leave it out: {left}"
        raise DatasetError(f"{label}: column {name!r} holds dates, as {found[0]!r}: {remedy}")


def fill_missing(x: Floats, train: npt.NDArray[np.int64]) -> Floats:
    """Return x (n, d) with NaN replaced by the median of the column's training rows, 0 where they have none."""
    filled = x.copy()
    for place in np.flatnonzero(np.isnan(x).any(axis=0)).tolist():
        column = filled[:, place]
        known = np.sort(column[train][~np.isnan(column[train])])
        middle = 0.5 * (known[(len(known) - 1) // 2] + known[len(known) // 2]) if len(known) else 0.0
        column[np.isnan(column)] = middle
    return filled
