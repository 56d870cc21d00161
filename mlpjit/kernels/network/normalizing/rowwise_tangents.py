"""R{.} of layer and RMS normalization, forward and back (Pearlmutter 1994): `rowwise_values` along a direction.

`layer` and `moved` are rows of the two tables of `pairs`. m is the mean over the units of a row, 0 unless `centred`.
"""

from __future__ import annotations

from mlpjit.kernels.language import Int, Ints, Reals, dot, fma, kernel, load, offset, real, store, summed
from mlpjit.kernels.network.normalization_rules import eps_of
from mlpjit.kernels.network.normalizing.rowwise_values import normalize_rows
from mlpjit.kernels.network.pairs import part, second_part
from mlpjit.kernels.tables import LAYER


@kernel
def rows_tangent(
    rows: Int, centred: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, workspace: Reals
) -> None:
    """Rz becomes R y of y = gamma zhat + beta; keeps R zhat and R i of zhat = i (z - m).

    R zhat = i (Rz - m(Rz) - zhat mean(zhat Rz)),  R i = -i^2 mean(zhat Rz).
    """
    columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    z = second_part(rows, workspace, layer, LAYER.slope_at)
    zhat, zhat_moved = part(workspace, layer, LAYER.normalized_at), part(workspace, moved, LAYER.normalized_at)
    inverse, inverse_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    gamma, gamma_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    beta_moved = part(vector, layer, LAYER.beta_at)
    for i in range(rows):
        row, hat, hat_moved = offset(z, i * stride), offset(zhat, i * stride), offset(zhat_moved, i * stride)
        middle = real(summed(row, columns) / columns) if centred != 0 else real(0.0)
        overlap, scale = real(dot(hat, row, columns) / columns), load(inverse, i)
        store(inverse_moved, i, -scale * scale * overlap)
        for j in range(columns):
            turned = scale * fma(-load(hat, j), overlap, load(row, j) - middle)
            store(hat_moved, j, turned)
            shift = fma(load(gamma_moved, j), load(hat, j), load(beta_moved, j))
            store(row, j, fma(load(gamma, j), turned, shift))


@kernel
def rows_back_tangent(
    rows: Int, centred: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """R of delta_z = i q, q = d - m(d) - zhat mean(d zhat), d = gamma delta; also R d gamma, R d beta.

    R q = R d - m(R d) - zhat mean(R d zhat + d R zhat) - R zhat mean(d zhat), R delta_z = R i q + i R q.
    """
    columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    delta, delta_moved = part(workspace, layer, LAYER.slope_at), second_part(rows, workspace, layer, LAYER.slope_at)
    zhat, zhat_moved = part(workspace, layer, LAYER.normalized_at), part(workspace, moved, LAYER.normalized_at)
    inverse, inverse_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    for j in range(columns):
        store(part(product, layer, LAYER.gamma_at), j, real(0.0))
        store(part(product, layer, LAYER.beta_at), j, real(0.0))
    for i in range(rows):
        at = i * stride
        row, row_moved, hat = offset(delta, at), offset(delta_moved, at), offset(zhat, at)
        hat_moved = offset(zhat_moved, at)
        scale_deltas(columns, layer, params, vector, product, row, row_moved, hat, hat_moved)
        middle = real(summed(row, columns) / columns) if centred != 0 else real(0.0)
        middle_moved = real(summed(row_moved, columns) / columns) if centred != 0 else real(0.0)
        overlap = real(dot(row, hat, columns) / columns)
        overlap_moved = real((dot(row_moved, hat, columns) + dot(row, hat_moved, columns)) / columns)
        scale, scale_moved = load(inverse, i), load(inverse_moved, i)
        for j in range(columns):
            q = fma(-load(hat, j), overlap, load(row, j) - middle)
            own = fma(-load(hat, j), overlap_moved, load(row_moved, j) - middle_moved)
            q_moved = fma(-load(hat_moved, j), overlap, own)
            store(row_moved, j, fma(scale_moved, q, scale * q_moved))
            store(row, j, scale * q)


@kernel
def scale_deltas(
    columns: Int, layer: Ints, params: Reals, vector: Reals, product: Reals, row: Reals, row_moved: Reals, hat: Reals,
    hat_moved: Reals,
) -> None:  # fmt: skip
    """Add a row to R d gamma and R d beta; then delta and R delta become d = gamma delta and R d."""
    gamma, gamma_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    gammas, betas = part(product, layer, LAYER.gamma_at), part(product, layer, LAYER.beta_at)
    for j in range(columns):
        d, d_moved = load(row, j), load(row_moved, j)
        own = fma(d, load(hat_moved, j), load(gammas, j))
        store(gammas, j, fma(d_moved, load(hat, j), own))
        store(betas, j, load(betas, j) + d_moved)
        store(row_moved, j, fma(load(gamma_moved, j), d, load(gamma, j) * d_moved))
        store(row, j, load(gamma, j) * d)


@kernel
def rows_pair(
    rows: Int, centred: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, z: Reals, workspace: Reals
) -> None:
    """Normalize z and Rz."""
    normalize_rows(
        rows, load(layer, LAYER.fan_out), z, load(layer, LAYER.stride), centred, part(params, layer, LAYER.gamma_at),
        part(params, layer, LAYER.beta_at), part(workspace, layer, LAYER.normalized_at),
        part(workspace, layer, LAYER.inverse_at), eps_of(layer),
    )  # fmt: skip
    rows_tangent(rows, centred, layer, moved, params, vector, workspace)


@kernel
def layer_pair(rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, z: Reals, workspace: Reals) -> None:
    """z and Rz of layer normalization."""
    rows_pair(rows, 1, layer, moved, params, vector, z, workspace)


@kernel
def layer_back_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """Delta and R delta of layer normalization."""
    rows_back_tangent(rows, 1, layer, moved, params, vector, product, workspace)


@kernel
def rms_pair(rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, z: Reals, workspace: Reals) -> None:
    """z and Rz of RMS normalization."""
    rows_pair(rows, 0, layer, moved, params, vector, z, workspace)


@kernel
def rms_back_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """Delta and R delta of RMS normalization."""
    rows_back_tangent(rows, 0, layer, moved, params, vector, product, workspace)
