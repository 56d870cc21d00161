"""R{.} of weight normalization, forward and back (Pearlmutter 1994).

u = v / |v|, D = dL/dW, V and G the vector's parts at v and g. `layer` and `moved` are rows of the tables of `pairs`.
"""

from __future__ import annotations

from mlpjit.kernels.language import Ints, Reals, fma, kernel, load, offset, real, store
from mlpjit.kernels.network.pairs import part
from mlpjit.kernels.tables import EFFECTIVE_AT, FAN_IN, FAN_OUT, GAMMA_AT, INVERSE_AT, NORMALIZED_AT, WEIGHT_AT


@kernel
def weight_pair(layer: Ints, moved: Ints, params: Reals, vector: Reals, workspace: Reals) -> None:
    """R W = G u + g R u, R u = (V - u R|v|) / |v|, R|v| = u . V, which is kept; `weight_forward` has been called."""
    rows, columns = load(layer, FAN_IN), load(layer, FAN_OUT)
    v, v_moved = part(params, layer, WEIGHT_AT), part(vector, layer, WEIGHT_AT)
    g, g_moved = part(params, layer, GAMMA_AT), part(vector, layer, GAMMA_AT)
    inverse, length_moved = part(workspace, layer, INVERSE_AT), part(workspace, moved, INVERSE_AT)
    out = part(workspace, moved, EFFECTIVE_AT)
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

    D stands at EFFECTIVE_AT, R D at W's place of the product.
    """
    rows, columns = load(layer, FAN_IN), load(layer, FAN_OUT)
    v, v_moved = part(params, layer, WEIGHT_AT), part(vector, layer, WEIGHT_AT)
    inverse, length_moved = part(workspace, layer, INVERSE_AT), part(workspace, moved, INVERSE_AT)
    d, d_moved = part(workspace, layer, EFFECTIVE_AT), part(product, layer, WEIGHT_AT)
    slope, slope_moved = part(workspace, moved, NORMALIZED_AT), part(product, layer, GAMMA_AT)
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
    rows, columns = load(layer, FAN_IN), load(layer, FAN_OUT)
    v, v_moved = part(params, layer, WEIGHT_AT), part(vector, layer, WEIGHT_AT)
    g, g_moved = part(params, layer, GAMMA_AT), part(vector, layer, GAMMA_AT)
    inverse, length_moved = part(workspace, layer, INVERSE_AT), part(workspace, moved, INVERSE_AT)
    d, d_moved = part(workspace, layer, EFFECTIVE_AT), part(product, layer, WEIGHT_AT)
    slope, slope_moved = part(workspace, moved, NORMALIZED_AT), part(product, layer, GAMMA_AT)
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
