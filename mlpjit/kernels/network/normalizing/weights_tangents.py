"""R{.} of weight normalization, forward and back (Pearlmutter 1994).

u = v / |v|, D = dL/dW, V and G the vector's parts at v and g. `layer` and `moved` are rows of the tables of `pairs`.
"""

from __future__ import annotations

from mlpjit.kernels.language import Ints, Reals, fma, kernel, load, offset, real, store
from mlpjit.kernels.network.pairs import part
from mlpjit.kernels.tables import LAYER


@kernel
def weight_pair(layer: Ints, moved: Ints, params: Reals, vector: Reals, workspace: Reals) -> None:
    """R W = G u + g R u, R u = (V - u R|v|) / |v|, R|v| = u . V, which is kept; `weight_forward` has been called."""
    rows, columns = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    v, v_moved = part(params, layer, LAYER.weight_at), part(vector, layer, LAYER.weight_at)
    g, g_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    inverse, length_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    out = part(workspace, moved, LAYER.effective_at)
    for j in range(columns):
        store(length_moved, j, real(0.0))
    for i in range(rows):
        row, row_moved = offset(v, i * columns), offset(v_moved, i * columns)
        for j in range(columns):
            u = load(row, j) * load(inverse, j)
            store(length_moved, j, fma(u, load(row_moved, j), load(length_moved, j)))
    for i in range(rows):
        row, row_moved, into = offset(v, i * columns), offset(v_moved, i * columns), offset(out, i * columns)
        for j in range(columns):
            u = load(row, j) * load(inverse, j)
            u_moved = fma(-u, load(length_moved, j), load(row_moved, j)) * load(inverse, j)
            store(into, j, fma(load(g_moved, j), u, load(g, j) * u_moved))


@kernel
def weight_back_pair(layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals) -> None:
    """R d g = R u . D + u . R D; R d v = R f (D - d g u) + f (R D - R d g u - d g R u), f = g / |v|.

    D stands at effective_at, R D at W's place of the product.
    """
    rows, columns = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    v, v_moved = part(params, layer, LAYER.weight_at), part(vector, layer, LAYER.weight_at)
    inverse, length_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    d, d_moved = part(workspace, layer, LAYER.effective_at), part(product, layer, LAYER.weight_at)
    slope, slope_moved = part(workspace, moved, LAYER.normalized_at), part(product, layer, LAYER.gamma_at)
    for j in range(columns):
        store(slope, j, real(0.0))
        store(slope_moved, j, real(0.0))
    for i in range(rows):
        at = i * columns
        for j in range(columns):
            u = load(v, at + j) * load(inverse, j)
            u_moved = fma(-u, load(length_moved, j), load(v_moved, at + j)) * load(inverse, j)
            store(slope, j, fma(u, load(d, at + j), load(slope, j)))
            own = fma(u_moved, load(d, at + j), load(slope_moved, j))
            store(slope_moved, j, fma(u, load(d_moved, at + j), own))
    turn_rows(layer, moved, params, vector, product, workspace)


@kernel
def turn_rows(layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals) -> None:
    """The second of the two equations above, with d g and R d g known."""
    rows, columns = load(layer, LAYER.fan_in), load(layer, LAYER.fan_out)
    v, v_moved = part(params, layer, LAYER.weight_at), part(vector, layer, LAYER.weight_at)
    g, g_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    inverse, length_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    d, d_moved = part(workspace, layer, LAYER.effective_at), part(product, layer, LAYER.weight_at)
    slope, slope_moved = part(workspace, moved, LAYER.normalized_at), part(product, layer, LAYER.gamma_at)
    for i in range(rows):
        at = i * columns
        for j in range(columns):
            over = load(inverse, j)
            u = load(v, at + j) * over
            u_moved = fma(-u, load(length_moved, j), load(v_moved, at + j)) * over
            factor = load(g, j) * over
            factor_moved = fma(-factor, load(length_moved, j), load(g_moved, j)) * over
            rest = fma(-load(slope, j), u, load(d, at + j))
            own = fma(-load(slope_moved, j), u, load(d_moved, at + j))
            rest_moved = fma(-load(slope, j), u_moved, own)
            store(d_moved, at + j, fma(factor_moved, rest, factor * rest_moved))
