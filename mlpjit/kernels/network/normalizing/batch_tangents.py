"""R{.} of batch normalization, forward and back (Pearlmutter 1994): `batch_values` along a direction.

Columns are summed in the order of the rows. `layer` and `moved` are rows of the two tables of `pairs`.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic.matrices import add_column_products, column_sums
from mlpjit.kernels.language import Int, Ints, Reals, fma, kernel, load, offset, real, store
from mlpjit.kernels.network.normalization_rules import eps_of
from mlpjit.kernels.network.normalizing.batch_values import normalize_batch
from mlpjit.kernels.network.pairs import part, scratch_of, second_part
from mlpjit.kernels.tables import LAYER


@kernel
def column_totals(
    rows: Int, columns: Int, values: Reals, normalized: Reals, stride: Int, total: Reals, overlap: Reals
) -> None:
    """total = sum of values, overlap = sum of zhat values, column by column."""
    column_sums(rows, columns, values, stride, total)
    for j in range(columns):
        store(overlap, j, real(0.0))
    add_column_products(rows, columns, normalized, values, stride, overlap)


@kernel
def divide_row(count: Int, total: Reals, rows: Int, mean: Reals) -> None:
    """mean[j] = total[j] / rows."""
    for j in range(count):
        store(mean, j, load(total, j) / real(rows))


@kernel
def subtract_products(rows: Int, columns: Int, kept: Reals, factor: Reals, stride: Int, values: Reals) -> None:
    """values -= kept factor[j]."""
    for i in range(rows):
        row, other = offset(values, i * stride), offset(kept, i * stride)
        for j in range(columns):
            store(row, j, fma(-load(other, j), load(factor, j), load(row, j)))


@kernel
def centre(rows: Int, columns: Int, normalized: Reals, mean: Reals, overlap: Reals, stride: Int, values: Reals) -> None:
    """values -= mean[j] + zhat overlap[j]."""
    for i in range(rows):
        row, hat = offset(values, i * stride), offset(normalized, i * stride)
        for j in range(columns):
            store(row, j, fma(-load(hat, j), load(overlap, j), load(row, j) - load(mean, j)))


@kernel
def normalize_tangent(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, scratch: Reals, workspace: Reals
) -> None:
    """Rz becomes R y of y = gamma zhat + beta, zhat = (z - m) i; keeps R zhat and R i. scratch: 1 row.

    R zhat = i (Rz - mean(Rz) - zhat mean(zhat Rz)),  R i = -i^2 mean(zhat Rz),
    R y = R gamma zhat + gamma R zhat + R beta.
    """
    columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    z = second_part(rows, workspace, layer, LAYER.slope_at)
    zhat, zhat_moved = part(workspace, layer, LAYER.normalized_at), part(workspace, moved, LAYER.normalized_at)
    inverse, inverse_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    gamma, gamma_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    beta_moved = part(vector, layer, LAYER.beta_at)
    # R i holds mean(zhat Rz) until the end.
    column_totals(rows, columns, z, zhat, stride, scratch, inverse_moved)
    divide_row(columns, scratch, rows, scratch)
    divide_row(columns, inverse_moved, rows, inverse_moved)
    centre(rows, columns, zhat, scratch, inverse_moved, stride, z)
    for i in range(rows):
        row, hat, hat_moved = offset(z, i * stride), offset(zhat, i * stride), offset(zhat_moved, i * stride)
        for j in range(columns):
            store(hat_moved, j, load(inverse, j) * load(row, j))
        for j in range(columns):
            shift = fma(load(gamma_moved, j), load(hat, j), load(beta_moved, j))
            store(row, j, fma(load(gamma, j), load(hat_moved, j), shift))
    for j in range(columns):
        store(inverse_moved, j, -load(inverse, j) * load(inverse, j) * load(inverse_moved, j))


@kernel
def batch_back_pair(
    rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, product: Reals, workspace: Reals
) -> None:
    """R of delta_z = gamma i q, q = delta - mean(delta) - zhat mean(delta zhat); also R d gamma, R d beta.

    R q = R delta - mean(R delta) - zhat mean(R delta zhat + delta R zhat) - R zhat mean(delta zhat),
    R delta_z = (R gamma i + gamma R i) q + gamma i R q. The scratch holds 4 rows.
    """
    columns, stride, scratch = load(layer, LAYER.fan_out), load(layer, LAYER.stride), workspace
    delta, delta_moved = part(workspace, layer, LAYER.slope_at), second_part(rows, workspace, layer, LAYER.slope_at)
    zhat, zhat_moved = part(workspace, layer, LAYER.normalized_at), part(workspace, moved, LAYER.normalized_at)
    gamma_product, beta_product = part(product, layer, LAYER.gamma_at), part(product, layer, LAYER.beta_at)
    mean, overlap = scratch, offset(scratch, stride)
    mean_moved, overlap_moved = offset(scratch, 2 * stride), offset(scratch, 3 * stride)
    column_totals(rows, columns, delta, zhat, stride, mean, overlap)
    column_totals(rows, columns, delta_moved, zhat, stride, beta_product, gamma_product)
    add_column_products(rows, columns, zhat_moved, delta, stride, gamma_product)
    divide_row(columns, mean, rows, mean)
    divide_row(columns, overlap, rows, overlap)
    divide_row(columns, beta_product, rows, mean_moved)
    divide_row(columns, gamma_product, rows, overlap_moved)
    centre(rows, columns, zhat, mean, overlap, stride, delta)
    centre(rows, columns, zhat, mean_moved, overlap_moved, stride, delta_moved)
    subtract_products(rows, columns, zhat_moved, overlap, stride, delta_moved)
    normalizing_factors(columns, layer, moved, params, vector, mean, mean_moved, workspace)
    apply_factors(rows, columns, mean, mean_moved, stride, delta, delta_moved)


@kernel
def normalizing_factors(
    columns: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, factor: Reals, factor_moved: Reals,
    workspace: Reals,
) -> None:  # fmt: skip
    """factor = gamma i, R factor = R gamma i + gamma R i."""
    gamma, gamma_moved = part(params, layer, LAYER.gamma_at), part(vector, layer, LAYER.gamma_at)
    inverse, inverse_moved = part(workspace, layer, LAYER.inverse_at), part(workspace, moved, LAYER.inverse_at)
    for j in range(columns):
        store(factor, j, load(gamma, j) * load(inverse, j))
        own = load(gamma, j) * load(inverse_moved, j)
        store(factor_moved, j, fma(load(gamma_moved, j), load(inverse, j), own))


@kernel
def apply_factors(
    rows: Int, columns: Int, factor: Reals, factor_moved: Reals, stride: Int, values: Reals, moved: Reals
) -> None:
    """R(factor values) = R factor values + factor R values, over R values; then values *= factor."""
    for i in range(rows):
        row, row_moved = offset(values, i * stride), offset(moved, i * stride)
        for j in range(columns):
            own = load(factor, j) * load(row_moved, j)
            store(row_moved, j, fma(load(factor_moved, j), load(row, j), own))
            store(row, j, load(factor, j) * load(row, j))


@kernel
def batch_pair(rows: Int, layer: Ints, moved: Ints, params: Reals, vector: Reals, z: Reals, workspace: Reals) -> None:
    """Batch-normalize z with the batch's own statistics, and Rz; the running statistics stay as they are."""
    columns, stride = load(layer, LAYER.fan_out), load(layer, LAYER.stride)
    spare = scratch_of(rows, layer, workspace, 1)
    normalize_batch(
        rows, columns, z, stride, part(params, layer, LAYER.gamma_at), part(params, layer, LAYER.beta_at),
        part(workspace, layer, LAYER.normalized_at), part(workspace, layer, LAYER.inverse_at), spare, eps_of(layer),
    )  # fmt: skip
    normalize_tangent(rows, layer, moved, params, vector, spare, workspace)
