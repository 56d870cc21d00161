"""Figures in a notebook: shown where they are the value of a cell, whether pyplot is there or not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mlpjit.errors import ConfigError
from mlpjit.registry import suggestion
from mlpjit.report.paper import mpl_context, parsed_width

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
FONT_SIZE = 8.0
HEIGHT = 0.62  # of the width
LOGARITHMIC = 30.0  # times that the largest value is above the smallest


def shown(figure: Figure) -> Figure:
    """Return a figure that a notebook shows: where pyplot was never imported, it does not know how."""

    def png() -> bytes:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
        return file.getvalue()

    figure._repr_png_ = png  # type: ignore[attr-defined]
    return figure


def history_figure(history: dict[str, np.ndarray], name: str, width: float = 3.3) -> Figure:
    """Return a curve of a record against the epoch; of layers one each. Raises ConfigError for an unknown record."""
    if name not in history:
        raise ConfigError(f"unknown record {name!r}{suggestion(name, history)}")
    from matplotlib.figure import Figure

    inches = parsed_width(str(width))
    with mpl_context(FONT_SIZE):
        figure = Figure(figsize=(inches, HEIGHT * inches), layout="constrained")
        axes = figure.subplots()
        _curves(axes, history["epoch"], history[name])
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        return shown(figure)


def _curves(axes: object, epochs: np.ndarray, values: np.ndarray) -> None:
    import matplotlib as mpl
    import numpy as np

    by_layer = values.reshape(len(values), -1).astype(float)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, by_layer.shape[1]))
    for layer, (curve, colour) in enumerate(zip(by_layer.T, colours, strict=True)):
        axes.plot(epochs, curve, color=colour, label=f"layer {layer + 1}")  # type: ignore[attr-defined]
    if values.ndim == 2:
        axes.legend()  # type: ignore[attr-defined]
    finite = by_layer[np.isfinite(by_layer)]
    if finite.size and finite.min() > 0 and finite.max() > LOGARITHMIC * finite.min():
        axes.set_yscale("log")  # type: ignore[attr-defined]
