"""What is recorded of each layer, in the order of the columns. More may follow; what is here stays where it is."""

from __future__ import annotations

from mlpjit.kernels.language import dot, float64, load, sqrt, store
from mlpjit.kernels.run.records.declare import after_update, at_gradient, over_units


@at_gradient(unit="loss / weight")
def gradient_norm(size, g):
    """|dL/dW|, penalties included, before clipping."""
    return sqrt(dot(g, g, size))


@over_units(unit="activation")
def activation_mean(rows, columns, values):
    """The mean of a over samples and units."""
    return values / float64(rows * columns)


@over_units(unit="activation")
def activation_std(rows, columns, values, squares):
    """The standard deviation of a over samples and units."""
    count = float64(rows * columns)
    mean = values / count
    spread = squares / count - mean * mean
    return sqrt(spread if not (spread < 0.0) else float64(0))


@over_units(unit="share")
def dead_fraction(columns, peaks):
    """The share of units whose derivative is 0 on every sample."""
    dead = 0
    for j in range(columns):
        if load(peaks, j) == 0.0:
            dead += 1
    return float64(dead) / float64(columns)


@over_units(unit="share")
def saturated_fraction(rows, columns, saturated):
    """The share of outputs with a derivative below 1 % of the largest there is."""
    often = float64(0)
    for j in range(columns):
        often += float64(load(saturated, j))
    return often / float64(rows * columns)


@at_gradient(unit="weight")
def weight_norm(size, w):
    """|W| before the update."""
    return sqrt(dot(w, w, size))


@after_update(unit="ratio")
def update_ratio(size, w, before, spare):
    """|change of W| / |W|, decay and wrapper included."""
    for i in range(size):
        store(spare, i, load(w, i) - load(before, i))
    return sqrt(dot(spare, spare, size)) / sqrt(dot(before, before, size))


@at_gradient(unit="cosine", memory="zeros")
def gradient_cosine(size, g, memory):
    """The cosine between dL/dW of this recorded step and of the one before; NaN at the first."""
    cosine = dot(g, memory, size) / (sqrt(dot(g, g, size)) * sqrt(dot(memory, memory, size)))
    for i in range(size):
        store(memory, i, load(g, i))
    return cosine


@after_update(unit="weight", memory="params")
def distance_from_start(size, w, spare, memory):
    """|W - W_0|, W_0 the first weights."""
    for i in range(size):
        store(spare, i, load(w, i) - load(memory, i))
    return sqrt(dot(spare, spare, size))
