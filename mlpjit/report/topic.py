"""Questions that a page answers beside which is best: a finding, a figure with its table, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlpjit.report.charts.panels import Chart


@dataclass(frozen=True)
class Topic:
    """One of them; `name` is its table's and its place on the page, `caption` says how to read the figure."""

    name: str
    question: str
    chart: Chart
    caption: str
    table: pd.DataFrame
    notes: Sequence[str] = ()
