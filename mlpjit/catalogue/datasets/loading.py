"""From a spec to a dataset in memory, or to its sizes and hash alone."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from mlpjit.catalogue.datasets.columns import fill_missing
from mlpjit.catalogue.datasets.hashing import contents_hash, recipe_hash, variant_hash
from mlpjit.catalogue.datasets.parts import HELD_OUT_PERCENT, check_groups, part_sizes
from mlpjit.catalogue.datasets.records import (
    STANDARDIZE,
    Dataset,
    DatasetInfo,
    DatasetRecord,
    Raw,
    Scaling,
    Shape,
    Task,
    datasets,
)
from mlpjit.catalogue.datasets.scaling import check
from mlpjit.catalogue.datasets.sharing import Shared
from mlpjit.catalogue.datasets.specs import Source, Spec, default_scaling, file_scaling, resolve
from mlpjit.errors import DatasetError

_loaded: Shared[Dataset] = Shared(128 * 2**20, lambda held: held.x.nbytes + held.y.nbytes)


def load(spec: Spec) -> Dataset:
    """Return a dataset, not scaled, its arrays read-only and shared by all who ask for it.

    Raises ConfigError for an unknown name and DatasetError for parameters or data that cannot be used.
    A file that changes on disk is read again.
    """
    return load_source(resolve(spec))


def load_source(source: Source) -> Dataset:
    """Return the dataset of a resolved spec."""
    plain, variant = source.plain, source.variant
    held = _loaded.get(plain, lambda: _load(plain))
    if variant.plain:
        return held
    if not held.classes:
        raise DatasetError(f"dataset {source.name!r}: imbalance and label_noise are for classes, this is a regression")
    return replace(held, variant=variant, data_hash=variant_hash(held.data_hash, variant))


def describe(spec: Spec) -> DatasetInfo:
    """Return a dataset's sizes and hash. Generated data is not generated; nothing here needs Numba."""
    found = _described(resolve(spec))
    if isinstance(found, DatasetInfo):
        return found
    raise DatasetError(found)


@lru_cache(maxsize=256)
def _described(source: Source) -> DatasetInfo | tuple[str, ...]:
    """Return sizes and hash, or what is wrong with the data: a file that cannot be used is read once as well."""
    try:
        return _describe(source)
    except DatasetError as error:
        return tuple(error.problems)


def _describe(source: Source) -> DatasetInfo:
    told: dict[str, Any] = {}
    if not source.is_file and datasets[source.name].shape:
        record = datasets[source.name]
        shape, task, held_out = _shape(record, source.plain), record.task, HELD_OUT_PERCENT
        digest = variant_hash(recipe_hash(record, source.plain.parameters), source.variant)
    else:
        held = load_source(source)
        shape, task, digest = Shape.of(Raw(held.x, held.y, held.classes)), held.task, held.data_hash
        held_out = held.held_out
        told = {"columns": held.columns, "target": held.target, "notes": held.notes}
        told["classes"] = tuple(zip(held.classes, shape.class_counts, strict=True))
        told["largest"] = _largest_scaled(held)
    sizes = part_sizes(shape.class_counts or [shape.samples], held_out)
    return DatasetInfo(
        samples=shape.samples,
        inputs=shape.inputs,
        outputs=shape.outputs,
        task=task,
        train_samples=sum(source.variant.kept(sizes.train)),
        validation_samples=sum(sizes.validation),
        test_samples=sum(sizes.test),
        data_hash=digest,
        **told,
    )


def _largest_scaled(held: Dataset) -> float:
    """Return what `check` does of the inputs. Raises DatasetError where they, or targets, cannot be scaled."""
    label = f"dataset {held.name!r}"
    x = fill_missing(held.x, np.arange(len(held.x))) if held.has_gaps else held.x
    if not held.classes:
        check(STANDARDIZE, held.y, f"{label}, target")
    return check(held.scaling, x, label)


def _shape(record: DatasetRecord, source: Source) -> Shape:
    assert record.shape is not None
    shape = record.shape(**dict(source.parameters))
    classes = [str(label) for label in range(len(shape.class_counts))]
    check_groups(f"dataset {record.name!r}", shape.class_counts or [shape.samples], classes)
    return shape


def _load(source: Source) -> Dataset:
    if source.is_file:
        from mlpjit.catalogue.datasets.files import read

        options: dict[str, Any] = dict(source.parameters)
        scaling = file_scaling(options.pop("scaling", default_scaling(source.name)), f"dataset {source.name!r}")
        raw = read(source.name, options)
        return _dataset(source, raw, scaling, contents_hash(raw, scaling))
    record = datasets[source.name]
    raw = record.make(**dict(source.parameters))
    digest = recipe_hash(record, source.parameters) if record.shape else contents_hash(raw, record.scaling)
    return _dataset(source, raw, record.scaling, digest)


def _dataset(source: Source, raw: Raw, scaling: Scaling, digest: str) -> Dataset:
    check_groups(f"dataset {source.name!r}", Shape.of(raw).class_counts or [len(raw.x)], raw.classes)
    raw.x.flags.writeable = raw.y.flags.writeable = False
    task: Task = "classification" if raw.classes else "regression"
    told = {"columns": raw.columns, "target": raw.target, "notes": raw.notes, "held_out": raw.held_out}
    return Dataset(source.name, task, raw.x, raw.y, raw.classes, scaling, digest, **told)  # type: ignore[arg-type]
