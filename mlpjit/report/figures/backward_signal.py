"""Backward signal: vanishing and exploding gradients, by depth."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures import figure, signal
from mlpjit.report.figures.results import Results

TITLE = "Do gradients survive the way back?"


def data(results: Results) -> pd.DataFrame:
    """Return the gradient norm by layer at initialization."""
    return signal.by_layer(results, "gradient_norm")


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """Panels of the page."""
    return signal.chart(name, table, "gradient norm", signal.ends(table, "gradient norm"))


@figure(
    "backward_signal",
    title=TITLE,
    caption="Norm of the loss gradient with respect to each layer's weights before the first step, one "
    "line a depth: a line that falls towards layer 1 is a vanishing gradient, one that rises an"
    " exploding one. " + signal.READING,
    data=data,
    chart=chart,
    order=53,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Rows are activations, columns initializations and normalizations."""
    return signal.panels(table, TITLE, "Gradient norm by layer, at initialization", "gradient")
