"""Forward signal: does what enters a deep network come out at its other end?"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from mlpjit.report.charts.panels import Chart
from mlpjit.report.figures import figure, signal
from mlpjit.report.figures.results import Results

TITLE = "Does the signal survive the way forward?"


def data(results: Results) -> pd.DataFrame:
    """Return the standard deviation of activations by layer at initialization."""
    return signal.by_layer(results, "activation_std")


def chart(name: str, table: pd.DataFrame, results: Results) -> Chart:
    """Panels of the page."""
    return signal.chart(
        name, table, "standard deviation", signal.ends(table, "standard deviation of activations", forward=True)
    )


@figure(
    "forward_signal",
    title=TITLE,
    caption="Standard deviation of each layer's activations before the first step, one line a depth: "
    "flat is healthy, a fall means that all samples look alike to later layers, a rise "
    "overflows. " + signal.READING,
    data=data,
    chart=chart,
    order=52,
)
def draw(table: pd.DataFrame, results: Results) -> Figure:
    """Rows are activations, columns initializations and normalizations."""
    return signal.panels(table, TITLE, "Standard deviation of activations by layer, at initialization", "std")
