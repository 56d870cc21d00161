"""What competitors and problems are called, on the page, in the terminal and in tables alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlpjit.config.fields import SETTING

TELLING = ("activation", "init", "optimizer", "dataset", "schedule")  # their values are names of their own


def named(factor: str, value: Any) -> str:
    """Return a factor's value in words, with the factor's name where the value alone would not tell: depth 4."""
    if factor in TELLING or factor not in SETTING:  # several factors together are in words already
        return str(value)
    return f"{factor.replace('_', ' ')} {_digits(value) if isinstance(value, float) else value}"


def _digits(value: float) -> str:
    """Return a number in six digits where these are all: what differs must not have one name."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def together(columns: Sequence[str]) -> str:
    """Return what competitors are values of: optimizer, or optimizer and activation."""
    return " and ".join(columns)


def competitor(columns: Sequence[str], values: Iterable[Any]) -> str:
    """Return a competitor's name: sgd, or sgd, depth 4 where two columns make it; lookahead(sgd) in a wrapper."""
    parts = dict(zip(columns, values, strict=True))
    if {"optimizer", "wrapper"} <= parts.keys():
        parts["optimizer"] = wrapped(parts["optimizer"], parts.pop("wrapper"))
    return ", ".join(named(column, value) for column, value in parts.items())


def wrapped(optimizer: str, wrapper: str) -> str:
    """Return an optimizer inside its wrapper: lookahead(adam), sam[rho=0.1](sgd)."""
    if wrapper == "none":
        return optimizer
    return f"{wrapper[:-1].replace('(', '[', 1)}]({optimizer})" if wrapper.endswith(")") else f"{wrapper}({optimizer})"


def problems(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, Any], str]:
    """Return the name of each (dataset, loss): the data set's, with the loss where it has several."""
    found = dict.fromkeys((row["dataset"], row["loss"]) for row in rows)
    datasets = [dataset for dataset, _ in found]
    return {
        (dataset, loss): str(dataset) if datasets.count(dataset) == 1 else f"{dataset} with {loss}"
        for dataset, loss in found
    }
