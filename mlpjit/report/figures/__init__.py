"""Figures: one file each, a data function and a draw function, found by themselves.

A figure file holds `data(results) -> DataFrame` (tidy, written as a CSV table; empty when the study has no
such data) and a draw function decorated with `@figure(...)`. Importing this package imports neither
matplotlib nor pandas.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlpjit.registry import Registry

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

    from mlpjit.report.charts.panels import Chart
    from mlpjit.report.figures.results import Results

    DataFunction = Callable[[Results], pd.DataFrame]
    DrawFunction = Callable[[pd.DataFrame, Results], matplotlib.figure.Figure]
    ChartFunction = Callable[[str, pd.DataFrame, Results], Chart]


@dataclass(frozen=True)
class FigureRecord:
    """One kind of figure: `title` is the question it answers, `caption` says how to read it."""

    name: str
    title: str
    caption: str
    order: int
    data: DataFunction
    draw: DrawFunction
    chart: ChartFunction


_registry: Registry[FigureRecord] = Registry("figure")


def figure(
    name: str,
    *,
    title: str,
    caption: str,
    data: DataFunction,
    chart: ChartFunction,
    order: int = 100,
) -> Callable[[DrawFunction], DrawFunction]:
    """Register the decorated draw function with its data function; figures appear by `order`, then name."""

    def register(draw: DrawFunction) -> DrawFunction:
        _registry.register(FigureRecord(name, title, caption, order, data, draw, chart))
        return draw

    return register


def figures() -> list[FigureRecord]:
    """Import every file of this package and return the registered figures in their order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(_registry.records(), key=lambda record: (record.order, record.name))
