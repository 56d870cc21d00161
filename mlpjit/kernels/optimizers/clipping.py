"""Clipping: stages that change the gradient before the optimizer sees it, or have the step skipped."""

from __future__ import annotations

from mlpjit.extending import (
    DONE,
    SKIP,
    TENSOR,
    WEIGHT,
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    clipping,
    device,
    dot,
    load,
    offset,
    real,
    select,
    sqrt,
    store,
)


@device
def shrink(count, norm, limit, grads):
    """g *= min(1, limit / norm); a norm that is NaN changes nothing."""
    if norm > limit:
        factor = real(limit / norm)
        for i in range(count):
            store(grads, i, load(grads, i) * factor)


@clipping(
    formula="g *= min(1, max_norm / (|g| + eps))",
    citation="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1", max_norm=1.0, eps=0.0,
)  # fmt: skip
def global_norm_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Shrink the whole gradient to at most max_norm, measured over all parameters together. torch has eps = 1e-6."""
    shrink(count, sqrt(dot(grads, grads, count)) + load(settings, 1), load(settings, 0), grads)
    return DONE


@clipping(
    formula="g_l *= min(1, max_norm / (|g_l| + eps)), tensor by tensor",
    citation="McMahan, Ramage, Talwar & Zhang 2018, arXiv:1710.06963, per-layer clipping", max_norm=1.0, eps=0.0,
)  # fmt: skip
def per_layer_norm_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Shrink the gradient of each weight matrix and of each vector to at most max_norm (`clipnorm` in Keras)."""
    for t in range(tensor_count):
        tensor = offset(tensors, t * len(TENSOR))
        size, g = load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns), offset(grads, load(tensor, TENSOR.at))
        shrink(size, sqrt(dot(g, g, size)) + load(settings, 1), load(settings, 0), g)
    return DONE


@device
def length_of(count, stride, x, scratch):
    """The norm of every stride-th entry; leaves them in the scratch."""
    for i in range(count):
        store(scratch, i, load(x, i * stride))
    return sqrt(dot(scratch, scratch, count))


@device
def clip_unit(count, stride, threshold, eps, w, g, scratch):
    """g *= min(1, threshold max(|w|, eps) / |g|), for the weights of one unit."""
    length = length_of(count, stride, w, scratch)
    limit, norm = threshold * (eps if length < eps else length), length_of(count, stride, g, scratch)
    if norm > limit:
        factor = real(limit / norm)
        for i in range(count):
            store(g, i * stride, load(g, i * stride) * factor)


@clipping(
    formula="g_i *= min(1, threshold max(|w_i|, eps) / |g_i|), w_i the weights into unit i",
    citation="Brock, De, Smith & Simonyan 2021, arXiv:2102.06171, eq. 3",
    extra_scratch=lambda rows, columns, kind: max(rows, columns), threshold=0.01, eps=1e-3,
)  # fmt: skip
def adaptive_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Adaptive gradient clipping: each unit's gradient in proportion to its weights; a vector is one unit.

    Every layer is clipped; the paper leaves out the last. Of a single input each weight is a unit, as in the paper and
    in timm; the authors' code and optax take that matrix for a vector.
    """
    threshold, eps = load(settings, 0), load(settings, 1)
    for t in range(tensor_count):
        tensor = offset(tensors, t * len(TENSOR))
        units = load(tensor, TENSOR.columns) if load(tensor, TENSOR.kind) == WEIGHT else 1
        size = load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns) // units
        w, g = offset(params, load(tensor, TENSOR.at)), offset(grads, load(tensor, TENSOR.at))
        for j in range(units):
            clip_unit(size, units, threshold, eps, offset(w, j), offset(g, j), scratch)
    return DONE


@clipping(formula="g = min(max(g, -max_value), max_value)", citation="Graves 2013, arXiv:1308.0850", max_value=1.0)
def value_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Clip every entry of the gradient; NaN stays NaN."""
    limit = real(load(settings, 0))
    for i in range(count):
        g = load(grads, i)
        g = select(g > limit, limit, g)
        store(grads, i, select(g < -limit, -limit, g))
    return DONE


@clipping(
    formula="no step where g or the loss is not finite, unless the last max_consecutive_errors steps were left out too",
    citation="optax.apply_if_finite; Micikevicius et al. 2018, arXiv:1710.03740, section 3.2",
    extra=lambda rows, columns, kind: 1, max_consecutive_errors=10,
)  # fmt: skip
def skip_non_finite_clipping(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Leave out a step whose gradient or loss is infinite or NaN; it counts for the schedule and for the epoch.

    Parameters, running statistics, the optimizer's state and its own count of steps stay, and nothing decays. A
    training loss that is not finite then does not end the run, until more than max_consecutive_errors such steps come
    in a row: the next is taken as it is, and the run has diverged. optax looks at the gradient alone.
    """
    wrong = 0 if loss - loss == 0.0 else 1
    for i in range(count):
        g = load(grads, i)
        wrong += 0 if g - g == 0.0 else 1
    so_far = offset(state, load(tensors, TENSOR.extra_at))
    in_a_row = real(0.0) if wrong == 0 else load(so_far, 0) + real(1.0)
    store(so_far, 0, in_a_row)
    return SKIP if wrong != 0 and in_a_row <= real(load(settings, 0)) else DONE
