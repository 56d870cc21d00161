"""Weight normalization: the length of each unit's weights is a parameter of its own.

Source: Salimans & Kingma 2016, arXiv:1602.07868, equations 2 and 3. The packed W holds v, gamma holds g, one number a
unit; the products read W = g v / |v|. g begins at |v|, so that the first W is the initializer's, as in PyTorch. Where v
is 0, so are W and the gradients by v and g. Penalties, decay and the records of |W| see v.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Ints, Reals, absolute, fma, kernel, load, offset, real, select, sqrt, store
from mlpjit.kernels.network.normalization_rules import Acts, Normalization, normalizations
from mlpjit.kernels.network.normalizing.weights_tangents import weight_back_pair, weight_pair
from mlpjit.kernels.tables import LAYER


@kernel
def column_lengths(rows: Int, columns: Int, v: Reals, lengths: Reals, most: Reals) -> None:
    """lengths[j] = |v_j| of each column, scaled by its largest entry so that no square leaves the range.

    most: `columns` numbers of scratch. Rows are taken in order.
    """
    for j in range(columns):
        store(most, j, real(0.0))
        store(lengths, j, real(0.0))
    for i in range(rows):
        row = offset(v, i * columns)
        for j in range(columns):
            size, largest = absolute(load(row, j)), load(most, j)
            store(most, j, select(size > largest, size, largest))
    for j in range(columns):
        largest = load(most, j)
        store(most, j, select(largest > 0.0, largest, real(1.0)))
    for i in range(rows):
        row = offset(v, i * columns)
        for j in range(columns):
            share = load(row, j) / load(most, j)
            store(lengths, j, fma(share, share, load(lengths, j)))
    for j in range(columns):
        store(lengths, j, load(most, j) * sqrt(load(lengths, j)))


@kernel
def weight_forward(layer: Ints, params: Reals, workspace: Reals) -> None:
    """Weight normalization: direction and length of each unit's weights apart. Keeps 1/|v|."""
    rows, columns = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    v, g = offset(params, load(layer, LAYER.weight_at)), offset(params, load(layer, LAYER.gamma_at))
    inverse = offset(workspace, load(layer, LAYER.inverse_at))
    spare = offset(workspace, load(layer, LAYER.normalized_at))
    w = offset(workspace, load(layer, LAYER.effective_at))
    column_lengths(rows, columns, v, inverse, spare)
    for j in range(columns):
        length = load(inverse, j)
        # Written so that NaN is kept.
        store(inverse, j, select(length == 0.0, real(0.0), 1.0 / length))
        store(spare, j, load(g, j) * load(inverse, j))
    for i in range(rows):
        row, out = offset(v, i * columns), offset(w, i * columns)
        for j in range(columns):
            store(out, j, load(row, j) * load(spare, j))


@kernel
def weight_backward(layer: Ints, params: Reals, grads: Reals, workspace: Reals) -> None:
    """With u = v / |v|: d g = u . dW and d v = g / |v| (dW - u d g), column by column."""
    rows, columns = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    v, g = offset(params, load(layer, LAYER.weight_at)), offset(params, load(layer, LAYER.gamma_at))
    gradient, lengths = offset(grads, load(layer, LAYER.weight_at)), offset(grads, load(layer, LAYER.gamma_at))
    inverse = offset(workspace, load(layer, LAYER.inverse_at))
    for j in range(columns):
        store(lengths, j, real(0.0))
    for i in range(rows):
        row, d = offset(v, i * columns), offset(gradient, i * columns)
        for j in range(columns):
            store(lengths, j, fma(load(row, j) * load(inverse, j), load(d, j), load(lengths, j)))
    for i in range(rows):
        row, d = offset(v, i * columns), offset(gradient, i * columns)
        for j in range(columns):
            direction = load(row, j) * load(inverse, j)
            rest = fma(-direction, load(lengths, j), load(d, j))
            store(d, j, load(g, j) * load(inverse, j) * rest)


normalizations.register(
    Normalization(
        "weight", weight_forward.function, "W = g v / |v|, unit by unit; y = z",
        "Salimans & Kingma 2016, arXiv:1602.07868, eq. 2 and 3",
        acts=Acts(reweigh=weight_forward, reweigh_back=weight_backward),
        pairs=Acts(reweigh=weight_pair, reweigh_back=weight_back_pair), tensors=("gamma",),
    )
)  # fmt: skip
