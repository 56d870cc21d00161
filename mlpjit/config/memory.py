"""Data in memory as a dataset, known by the hash of its contents: arrays, or a pandas frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlpjit.catalogue.datasets import npzfile
from mlpjit.catalogue.datasets.hashing import contents_hash
from mlpjit.catalogue.datasets.parts import HELD_OUT_PERCENT, LEAST_HELD_OUT, MOST_HELD_OUT
from mlpjit.catalogue.datasets.records import DatasetInfo, DatasetRecord, Raw, datasets
from mlpjit.catalogue.datasets.specs import file_scaling
from mlpjit.catalogue.datasets.tables import GAPS, Choice, named_columns
from mlpjit.catalogue.datasets.targets import Table, encode
from mlpjit.catalogue.datasets.variants import VARIANT_DEFAULTS
from mlpjit.errors import DatasetError, shown

if TYPE_CHECKING:
    from mlpjit.catalogue.datasets import Split

PREFIX = "memory:"
TASKS = (None, "classification", "regression")
LABEL = "data in memory"
MINIMUM_PER_PART = 2
Columns = str | int | Sequence[str | int]


class Dataset(Mapping[str, str]):
    """Data in memory, taken wherever a dataset is: `RunConfig(dataset=...)`, `Study.load(..., data=...)`, `Network`.

    `Dataset(x, y)`: x (n, d) numbers; y (n,) labels or numbers, (n, k) numbers or one-hot rows. `Dataset(frame,
    target="price")`: a pandas frame, whose columns become inputs as those of a CSV file do; drop, categorical and
    missing ("fill", "drop", "refuse") as there. task: "classification" or "regression", else found out from the target.
    scaling: "standardize", "none" or a number to divide the inputs by. held_out: percent of the samples that validation
    has, and test again, 5 to 33.

    It is the table {"name": "memory:HASH"}, and lives as long as this process. Data are copied. Raises DatasetError.
    """

    def __init__(
        self, x: Any, y: Any = None, *, target: str | int | None = None, task: str | None = None,
        scaling: str | float = "standardize", drop: Columns = (), categorical: Columns = (), missing: str = "fill",
        held_out: int = HELD_OUT_PERCENT,
    ) -> None:  # fmt: skip
        if task not in TASKS:
            raise DatasetError(f"{LABEL}: task = {task!r}, allowed is 'classification' or 'regression'")
        if missing not in GAPS:
            raise DatasetError(f"{LABEL}: missing = {missing!r}, allowed is 'fill', 'drop' or 'refuse'")
        if type(held_out) is not int or not LEAST_HELD_OUT <= held_out <= MOST_HELD_OUT:
            allowed = f"a whole percentage from {LEAST_HELD_OUT} to {MOST_HELD_OUT}"
            raise DatasetError(f"{LABEL}: held_out = {shown(held_out)}, allowed is {allowed}")
        choice = Choice(target, named_columns(drop), named_columns(categorical), missing)
        table = _frame(x, choice) if y is None else _arrays(x, y, choice)
        labels, classes = encode(table, task)
        raw = Raw(table.x, labels, classes, table.columns, table.target, table.notes, held_out)
        self.name = _registered(raw, scaling)

    def __getitem__(self, key: str) -> str:
        return {"name": self.name}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("name",))

    def __len__(self) -> int:
        return 1

    @property
    def info(self) -> DatasetInfo:
        """Its sizes, its task, its classes and what was done to its columns."""
        from mlpjit.catalogue.datasets import describe

        return describe({"name": self.name})

    def split(self, seed: int = 0, dtype: Literal["float32", "float64"] = "float32") -> Split:
        """Return its training, validation and test parts as a run with this split_seed has them, scaled."""
        from mlpjit.catalogue.datasets import split

        return split({"name": self.name}, seed, dtype)

    def __repr__(self) -> str:
        from mlpjit.catalogue.datasets.told import told

        return "\n".join(["Dataset " + self.name, *told({"name": self.name})])


def in_memory(name: str) -> bool:
    """Return whether a dataset's name stands for data in memory."""
    return name.startswith(PREFIX)


def check_there(value: Any) -> Any:
    """Return what names a dataset. DatasetError for what does not, as arrays, and for what another process held."""
    name = value.get("name") if isinstance(value, Mapping) else value
    if not isinstance(name, str):
        raise DatasetError(f"got {shown(name)}, need a name, the path of a file, or mj.Dataset(x, y)")
    if in_memory(name) and name not in datasets:
        remedy = "make it here again, with mj.Dataset of the same data"
        raise DatasetError(f"dataset {name!r} was data in the memory of another process: {remedy}")
    return value


def _frame(frame: Any, choice: Choice) -> Table:
    if not hasattr(frame, "iloc"):
        raise DatasetError(f"{LABEL}: got {type(frame).__name__}, need a pandas frame with a target, or arrays x and y")
    if len(frame) == 0:
        raise DatasetError(f"{LABEL}: a frame without rows")
    from mlpjit.catalogue.datasets.frames import read_frame

    return read_frame(LABEL, frame, choice)


def _arrays(x: Any, y: Any, choice: Choice) -> Table:
    if choice != Choice():
        raise DatasetError(f"{LABEL}: target, drop, categorical and missing are for frames, not for arrays x and y")
    made = [_array(name, value) for name, value in (("x", x), ("y", y))]
    # The checks of the same arrays from a file.
    npzfile.check_shapes(LABEL, *made)
    inputs, targets = npzfile.numbers_of(LABEL, "x", made[0]), made[1]
    targets = targets[:, 0] if targets.shape[1:] == (1,) else targets
    text = targets.dtype.kind in "US"
    targets = npzfile.texts_of(targets) if text else npzfile.numbers_of(LABEL, "y", targets)
    return Table(LABEL, inputs.copy(), targets.copy(), lambda row: f"row {row + 1}")


def _array(name: str, value: Any) -> Any:
    """Return an array; a column of Python's texts as NumPy's."""
    try:
        made = np.asarray(value)
    except ValueError:
        raise DatasetError(f"{LABEL}: {name}: rows of different lengths, need an array") from None
    if made.dtype.kind == "O" and made.size and all(isinstance(each, str) for each in made.flat):
        return made.astype(np.str_)
    if made.dtype.kind == "O":
        raise DatasetError(f"{LABEL}: {name} holds Python objects, need numbers" + " or texts" * (name == "y"))
    return made


def _registered(raw: Raw, scaling: str | float) -> str:
    """Put the samples where datasets are looked up, and return their name; the same data are there once."""
    wanted = file_scaling(scaling, LABEL)
    name = PREFIX + contents_hash(raw, wanted)[:16]
    if name not in datasets:
        defaults = VARIANT_DEFAULTS if raw.classes else {}
        task = "classification" if raw.classes else "regression"
        told = "data of this process", "", "-"
        datasets.register(DatasetRecord(name, task, wanted, lambda: raw, *told, defaults=defaults))  # type: ignore[arg-type]
        _checked(name)
    return name


def _checked(name: str) -> None:
    """Take out again what no run could use."""
    from mlpjit.catalogue.datasets import describe

    try:
        info = describe({"name": name})
        if info.task == "regression" and info.validation_samples < MINIMUM_PER_PART:
            raise DatasetError(f"{LABEL}: held_out leaves one sample for validation; R^2 needs two: hold out more")
    except DatasetError:
        datasets.remove(name)
        raise
