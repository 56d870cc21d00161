"""Optimizers that report another point than the one they take gradients at."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR, Limits
from mlpjit.extending import (
    DONE,
    EVALUATE,
    POINT,
    TENSOR,
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    device,
    float64,
    fma,
    load,
    offset,
    one_minus_power,
    power_float64,
    real,
    sqrt,
    store,
    whole,
)

# The mean is (y - (1 - b1) z) / b1: of a smaller b1 rounding leaves nothing in float32.
MIXED = Limits(1e-3, 1.0, below=True)


@whole(
    formula="theta -= eta g; report the mean of theta from step `start` on",
    citation="Polyak & Juditsky 1992, SIAM J. Control Optim.", state=("mean",), initial={"mean": "params"}, point=True,
    start=1,
)  # fmt: skip
def averaged_sgd(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Gradient descent that reports the running mean of its iterates; before `start` the last of them."""
    if phase == EVALUATE:
        for i in range(count):
            store(grads, i, load(state, i))
        return POINT
    rate, first = real(learning_rate), int(load(settings, 0))
    share = real(1.0 / (step - first + 1) if step >= first else 1.0)
    for i in range(count):
        theta = fma(-rate, load(grads, i), load(params, i))
        store(params, i, theta)
        store(state, i, fma(share, theta - load(state, i), load(state, i)))
    return DONE


@device
def schedule_free_share(step, rate, power, kept):
    """The weight of this z in the mean x: eta_max^power over the sum of all so far; kept holds sum and eta_max."""
    largest = float64(load(kept, 1)) if step > 1 and load(kept, 1) > rate else rate
    weight = power_float64(largest, power) if largest > 0.0 else 0.0
    total = float64(load(kept, 0)) + weight
    store(kept, 0, real(total))
    store(kept, 1, real(largest))
    return weight / total if total > 0.0 else 0.0


@device
def write_mean(count, b, params, z, out):
    """out = x = (y - (1 - b) z) / b."""
    rest = real(1.0 - b)
    for i in range(count):
        store(out, i, fma(-rest, load(z, i), load(params, i)) / real(b))


@device
def move_between(count, b, share, z, step_of_z, params):
    """z -= step_of_z; x moves to z by its share; params = y = b x + (1 - b) z."""
    keep, rest, part = real(b), real(1.0 - b), real(share)
    for i in range(count):
        before = load(z, i)
        x = fma(-rest, before, load(params, i)) / keep
        after = before - load(step_of_z, i)
        x = fma(part, after - x, x)
        store(z, i, after)
        store(params, i, fma(keep, x, rest * after))


@whole(
    formula="y = (1 - b) z + b x; z -= eta g(y); x = mean of z weighted by eta_max^power; report x",
    citation="Defazio et al. 2024, arXiv:2405.15682, algorithm 1", state=("z",), initial={"z": "params"}, point=True,
    extra=lambda rows, columns, kind: 2, scratch=1, b1=0.9, power=2.0,
    limits={"b1": MIXED},
)  # fmt: skip
def schedule_free_sgd(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Schedule-free gradient descent. The parameters of the run are y, where gradients are taken."""
    b = load(settings, 0)
    if phase == EVALUATE:
        write_mean(count, b, params, state, grads)
        return POINT
    rate = real(learning_rate)
    for i in range(count):
        store(scratch, i, rate * load(grads, i))
    share = schedule_free_share(step, learning_rate, load(settings, 1), offset(state, load(tensors, TENSOR.extra_at)))
    move_between(count, b, share, state, scratch, params)
    return DONE


@whole(
    formula="y = (1 - b1) z + b1 x; z -= eta (g / (sqrt v^ + eps) + wd y); x = mean of z weighted by eta_max^power; "
    "report x", citation="Defazio et al. 2024, arXiv:2405.15682, algorithm 1", state=("z", "nu"),
    initial={"z": "params"}, point=True, extra=lambda rows, columns, kind: 2, scratch=1, b1=0.9, b2=0.999, eps=1e-8,
    weight_decay=0.0, power=2.0, limits={"b1": MIXED, "eps": DIVISOR},
)  # fmt: skip
def schedule_free_adamw(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Schedule-free AdamW: the mean of z takes the place of momentum. The parameters of the run are y."""
    b, b2, nus = load(settings, 0), load(settings, 1), offset(state, count)
    if phase == EVALUATE:
        write_mean(count, b, params, state, grads)
        return POINT
    keep, rest, unbias = real(b2), real(1.0 - b2), real(1.0 / one_minus_power(b2, step))
    rate, eps, decay = real(learning_rate), real(load(settings, 2)), real(load(settings, 3))
    for i in range(count):
        g = load(grads, i)
        nu = fma(keep, load(nus, i), rest * g * g)
        store(nus, i, nu)
        store(scratch, i, rate * fma(decay, load(params, i), g / (sqrt(nu * unbias) + eps)))
    share = schedule_free_share(step, learning_rate, load(settings, 4), offset(state, load(tensors, TENSOR.extra_at)))
    move_between(count, b, share, state, scratch, params)
    return DONE
