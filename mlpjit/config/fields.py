"""What a run is: its canonical form, its factors, and the hash that names it.

Everything here reads a mapping of validated values by field name, so that one RunConfig and a sweep block with
its axes go through the same functions. Imports neither pydantic nor Numba.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlpjit.catalogue.specs import Spec, label, parse_spec
from mlpjit.registry import suggestion

if TYPE_CHECKING:
    from mlpjit.catalogue.datasets import DatasetInfo

Values = Mapping[str, Any]

SHAPE_FIELDS = ("hidden", "depth", "width")
SEED_FIELDS = ("seed", "split_seed", "init_seed", "order_seed")
KERNEL_FIELDS = (
    "activation", "output_activation", "init", "normalization", "residual", "loss", "optimizer", "wrapper",
    "schedule", "clip", "weight_decay_schedule", "momentum_schedule", "dataset",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One key of the canonical form: the fields it depends on, and its value given them."""

    fields: tuple[str, ...]
    value: Callable[[Values], Any]


def meant(key: str, known: Sequence[str], table: str = "dataset={{'name': ..., '{}': ...}}") -> str:
    """Return what was probably meant by an unknown key: an option of a dataset, which stands in its table, or a key."""
    from mlpjit.catalogue.datasets.specs import FILE_DEFAULTS

    if key in FILE_DEFAULTS and "dataset" in known:
        return f": it belongs to the dataset, as {table.format(key)}"
    return suggestion(key, known)


def dataset_info(spec: Spec) -> DatasetInfo:
    """Return what a plan must know of a dataset: sizes, task, data_hash. DatasetError where it cannot be used."""
    from mlpjit.catalogue.datasets.specs import is_file

    return _describe(spec) if is_file(spec["name"]) else _built_in_info(spec)


def described(values: Values) -> DatasetInfo:
    """Return what was planned with, under "data" where a config holds it, else what the dataset is now."""
    found: DatasetInfo | None = values.get("data")
    return found or dataset_info(values["dataset"])


def _describe(spec: Spec) -> DatasetInfo:
    """A file may change while we run, and is looked at each time."""
    from mlpjit.catalogue.datasets import describe

    return describe(spec)


_built_in_info = lru_cache(maxsize=256)(_describe)


def hidden(values: Values) -> tuple[int, ...]:
    """Return the hidden widths, from `hidden` or from depth and width."""
    widths = values.get("hidden")
    return (values["width"],) * values["depth"] if widths is None else tuple(widths)


def activation(values: Values) -> Any:
    """Return one name where all hidden layers share it, "identity" where there are none, else the list of names."""
    names = values["activation"]
    if not hidden(values):
        return "identity"
    if isinstance(names, str):
        return names
    return names[0] if len(set(names)) == 1 else list(names)


def loss(values: Values) -> Spec:
    """Return the loss: cross_entropy for classification and mse for regression unless one is given."""
    given: Spec | None = values["loss"]
    return _default_loss(described(values).task) if given is None else given


@lru_cache
def _default_loss(task: str) -> Spec:
    return parse_spec("losses", "cross_entropy" if task == "classification" else "mse")


def _field(name: str) -> Part:
    return Part((name,), lambda values: values[name])


def _seed(name: str) -> Part:
    return Part((name, "seed"), lambda values: values["seed"] if values[name] is None else values[name])


PARTS: dict[str, Part] = {
    **{name: _field(name) for name in (
        "dataset", "output_activation", "init", "normalization", "residual", "dropout", "optimizer", "wrapper",
        "learning_rate", "schedule", "clip", "l1", "l2", "weight_decay", "weight_decay_schedule", "momentum_schedule",
        "batch_size", "epochs", "evaluate_every", "shuffle", "dtype", "seed",
    )},
    **{name: _seed(name) for name in ("split_seed", "init_seed", "order_seed")},
    "hidden": Part(SHAPE_FIELDS, lambda values: list(hidden(values))),
    "activation": Part(("activation", *SHAPE_FIELDS), activation),
    "loss": Part(("loss", "dataset"), loss),
}  # fmt: skip
PARTS = dict(sorted(PARTS.items()))
# Parts that the canonical form leaves out where a run does not use them.
UNUSED: dict[str, Any] = {
    "residual": "none", "dropout": 0.0, "momentum_schedule": parse_spec("schedules", "constant")
}  # fmt: skip


def _width(values: Values) -> int | None:
    widths = set(hidden(values))
    return widths.pop() if len(widths) == 1 else None


def _label(kind: str, name: str) -> Part:
    return Part((name,), lambda values: label(kind, values[name]))


def momentum_scheduled(values: Values) -> bool:
    """Say whether the optimizer's momentum changes from step to step; where it does not, a run's id is silent on it."""
    return bool(values["momentum_schedule"] != UNUSED["momentum_schedule"])


def _scheduled(values: Values) -> str:
    """Return the rate's schedule, and those of decay and momentum where they have one: `cosine, decay linear`."""
    kinds = {"": "schedule", "decay ": "weight_decay_schedule", "momentum ": "momentum_schedule"}
    found = {kind: label("schedules", values[name]) for kind, name in kinds.items()}
    return ", ".join(kind + shown for kind, shown in found.items() if shown != "constant" or not kind)


def _joined(values: Values) -> str:
    names = activation(values)
    return names if isinstance(names, str) else "-".join(names)


# The flat columns of tables, in their order.
FACTORS: dict[str, Part] = {
    "dataset": _label("datasets", "dataset"),
    "depth": Part(SHAPE_FIELDS, lambda values: len(hidden(values))),
    "width": Part(SHAPE_FIELDS, _width),
    "hidden": Part(SHAPE_FIELDS, lambda values: "-".join(map(str, hidden(values)))),
    "activation": Part(("activation", *SHAPE_FIELDS), _joined),
    "init": _label("initializers", "init"),
    "optimizer": _label("optimizers", "optimizer"),
    "wrapper": _label("wrappers", "wrapper"),
    "learning_rate": PARTS["learning_rate"],
    "schedule": Part(
        ("schedule", "weight_decay_schedule", "momentum_schedule"), lambda values: _scheduled(values)
    ),
    "clip": _label("clippings", "clip"),
    **{name: PARTS[name] for name in ("normalization", "residual", "dropout")},
    "loss": Part(PARTS["loss"].fields, lambda values: label("losses", loss(values))),
    **{name: PARTS[name] for name in (
        "batch_size", "epochs", "evaluate_every", "shuffle", "dtype", "l1", "l2", "weight_decay", "output_activation",
        "seed", "split_seed", "init_seed", "order_seed",
    )},
}  # fmt: skip
# A setting is what a run is but for its seeds; losses compare within one problem alone.
SETTING = tuple(name for name in FACTORS if name not in SEED_FIELDS)
PROBLEM = ("dataset", "loss")


def columns_of(per: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns whose values compete: `per` is one or several."""
    return (per,) if isinstance(per, str) else tuple(per)


def canonical(values: Values) -> dict[str, Any]:
    """Return the canonical form: every key that the run uses, resolved, sorted, JSON-able."""
    found = {name: part.value(values) for name, part in PARTS.items()}
    return {name: value for name, value in found.items() if name not in UNUSED or value != UNUSED[name]}


def factors(values: Values) -> dict[str, Any]:
    """Return the flat columns that describe a run in tables."""
    return {name: part.value(values) for name, part in FACTORS.items()}
