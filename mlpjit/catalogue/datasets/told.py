"""A dataset in words: what a plan, a run and a page say was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlpjit.catalogue.datasets.loading import describe
from mlpjit.catalogue.datasets.records import DatasetInfo
from mlpjit.catalogue.datasets.specs import Spec

MOST_CLASSES = 8  # told one by one


def told(spec: Spec) -> list[str]:
    """Return a line for a dataset's rows, inputs and target, then one for each thing that was done to its columns.

    Raises ConfigError and DatasetError as `describe` does.
    """
    name, info = spec if isinstance(spec, str) else spec["name"], describe(spec)
    parts = [f"{info.samples:,} rows", f"{info.inputs:,} inputs", _target(info)]
    return [f"{Path(name).name}: {', '.join(parts)}", *info.notes]


def _target(info: DatasetInfo) -> str:
    target = f"target {info.target!r}, " if info.target else ""
    if info.task == "regression":
        return f"{target}regression" + ("" if info.outputs == 1 else f" of {info.outputs} numbers")
    return f"{target}{info.outputs} classes{_counts(info.classes)}"


def _counts(classes: Sequence[tuple[str, int]]) -> str:
    if not classes:
        return ""
    if len(classes) <= MOST_CLASSES:
        return f" ({', '.join(f'{name}: {count:,}' for name, count in classes)})"
    counts = [count for _, count in classes]
    return f" of {min(counts):,} to {max(counts):,} samples"
