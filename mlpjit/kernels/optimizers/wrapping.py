"""Wrappers: stages before and behind any optimizer."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    AFTER,
    DECAYED,
    DONE,
    NEED_GRADIENT,
    TENSOR,
    Float64,
    Float64s,
    Int,
    Ints,
    Reals,
    above,
    absolute,
    at_least,
    device,
    dot,
    float64,
    fma,
    load,
    offset,
    real,
    select,
    sqrt,
    store,
    wrapper,
)


@wrapper(
    formula="every k steps: phi += alpha (theta - phi); theta = phi",
    citation="Zhang et al. 2019, arXiv:1907.08610, algorithm 1", state=("slow",), initial={"slow": "params"},
    moves=True, k=5, alpha=0.5, limits={"alpha": at_least(0, 10)},
)  # fmt: skip
def lookahead_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Lookahead: k fast steps forward, one slow step back. The inner optimizer keeps its state."""
    if phase == AFTER and step % int(load(settings, 0)) == 0:
        share = real(load(settings, 1))
        for i in range(count):
            moved = fma(share, load(params, i) - load(state, i), load(state, i))
            store(state, i, moved)
            store(params, i, moved)
    return DONE


@wrapper(
    formula="g at theta + rho g / |g|", citation="Foret et al. 2021, arXiv:2010.01412, algorithm 1", scratch=1,
    extra_gradients=1, rho=0.05, limits={"rho": at_least(0, 1000)},
)  # fmt: skip
def sam_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Sharpness-aware minimization: the gradient at the worst point nearby. Of a zero gradient nothing is moved."""
    if phase == 0:
        norm = sqrt(dot(grads, grads, count))
        radius = real(load(settings, 0) / norm if norm != 0.0 else 0.0)
        for i in range(count):
            store(scratch, i, load(params, i))
            store(params, i, fma(radius, load(grads, i), load(params, i)))
        return NEED_GRADIENT
    if phase == 1:
        for i in range(count):
            store(params, i, load(scratch, i))
    return DONE


@wrapper(
    formula="g at theta + rho T^2 g / |T g|, T = |theta| + eta",
    citation="Kwon et al. 2021, arXiv:2102.11600, algorithm 1", scratch=2, extra_gradients=1, rho=0.5, eta=0.01,
    limits={"rho": at_least(0, 1000)},
)  # fmt: skip
def asam_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Adaptive SAM: the neighbourhood is measured in each parameter's own size, so that rescaling changes nothing."""
    if phase == 0:
        eta, scaled = real(load(settings, 1)), offset(scratch, count)
        for i in range(count):
            store(scratch, i, load(params, i))
            store(scaled, i, (absolute(load(params, i)) + eta) * load(grads, i))
        norm = sqrt(dot(scaled, scaled, count))
        radius = real(load(settings, 0) / norm if norm != 0.0 else 0.0)
        for i in range(count):
            theta = load(params, i)
            store(params, i, fma(radius * (absolute(theta) + eta), load(scaled, i), theta))
        return NEED_GRADIENT
    if phase == 1:
        for i in range(count):
            store(params, i, load(scratch, i))
    return DONE


@wrapper(
    formula="u = [u g > 0] u size / (count of u g > 0 + xi), tensor by tensor",
    citation="Liang et al. 2024, arXiv:2411.16085", scratch=2, moves=True, xi=1.0,
)  # fmt: skip
def cautious_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Cautious: only those parts of an update that go against this batch's gradient, scaled up for the others.

    The run's weight_decay is no part of the update, as in the authors' code; a decay that the optimizer has itself is.
    The paper's algorithm 1 divides by the mean of the mask instead: xi = 0, as in timm.
    """
    given = offset(scratch, count)
    if phase == 0:
        # The optimizer may ask for another gradient, which then stands in place of this one.
        for i in range(count):
            store(given, i, load(grads, i))
    if phase == 0 or phase == DECAYED:
        for i in range(count):
            store(scratch, i, load(params, i))
        return DONE
    for t in range(tensor_count):
        tensor = offset(tensors, t * len(TENSOR))
        at, size = load(tensor, TENSOR.at), load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)
        kept = 0
        for i in range(at, at + size):
            # NaN counts as kept: it must not vanish.
            kept += 0 if (load(scratch, i) - load(params, i)) * load(given, i) <= 0.0 else 1
        scale = real(size / (kept + load(settings, 0)))
        for i in range(at, at + size):
            update = load(scratch, i) - load(params, i)
            held = update * load(given, i) <= 0.0
            store(params, i, load(scratch, i) - select(held, real(0.0), scale * update))
    return DONE


@wrapper(
    formula="c = g + gamma b1 / (1 - b1) (g - g_before), shrunk to |c| <= 1 tensor by tensor; g = c",
    citation="Yuan et al. 2024, arXiv:2411.10438", state=("before",), gamma=0.025, b1=0.95,
    limits={"gamma": above(0, 1000)},
)  # fmt: skip
def mars_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """MARS: a gradient with less variance, in the approximate form that reuses the last batch's gradient (0 at first).

    b1 is that of the optimizer inside.
    """
    if phase != 0:
        return DONE
    b1 = load(settings, 1)
    share = real(load(settings, 0) * (b1 / (1.0 - b1)))
    for t in range(tensor_count):
        tensor = offset(tensors, t * len(TENSOR))
        at, size = load(tensor, TENSOR.at), load(tensor, TENSOR.rows) * load(tensor, TENSOR.columns)
        for i in range(at, at + size):
            g = load(grads, i)
            store(grads, i, fma(share, g - load(state, i), g))
            store(state, i, g)
        norm = sqrt(dot(offset(grads, at), offset(grads, at), size))
        scale = real(1.0 / norm if norm > 1.0 else 1.0)
        for i in range(at, at + size):
            store(grads, i, scale * load(grads, i))
    return DONE


BETAS = 6


@device
def bet_on(step, bet, eps, first, kept):
    """Update the largest bets m, squares v, rewards r and scales s of the six factors; return the sum of scales."""
    squares, rewards, scales = offset(kept, BETAS), offset(kept, 2 * BETAS), offset(kept, 3 * BETAS)
    total, tenth = 0.0 * eps, 0.1 + 0.0 * eps
    size = bet if bet > 0.0 else -bet
    for k in range(BETAS):
        beta = 1.0 - tenth
        tenth *= 0.1
        largest = float64(load(kept, k))
        held = -largest if bet < -largest else (largest if bet > largest else bet)
        scale = float64(load(scales, k)) if step > 1 else first
        largest = beta * largest if beta * largest > size + eps else size + eps
        square = beta * beta * float64(load(squares, k)) + bet * bet
        reward = beta * float64(load(rewards, k)) + held * scale
        wealth = first / BETAS * largest + (reward if reward > 0.0 else 0.0)
        grown = wealth / (sqrt(square) + eps)
        total += grown
        store(kept, k, real(largest))
        store(squares, k, real(square))
        store(rewards, k, real(reward))
        store(scales, k, real(grown))
    return total


@wrapper(
    formula="theta = theta_0 - (sum of s) Delta, Delta = the base updates so far; s by betting on <g, Delta>",
    citation="Cutkosky, Defazio & Mehta 2023, arXiv:2306.00144, algorithm 1", state=("start",),
    initial={"start": "params"}, extra=lambda rows, columns, kind: 4 * BETAS, scratch=2, moves=True, weight_decay=1e-2,
    eps=1e-8, initial_scale=1e-6, limits={"eps": DIVISOR},
)  # fmt: skip
def mechanic_wrapper(
    phase: Int, step: Int, rows: Int, count: Int, params: Reals, grads: Reals, state: Reals, scratch: Reals,
    settings: Float64s, learning_rate: Float64, loss: Float64, tensors: Ints, tensor_count: Int,
) -> Int:  # fmt: skip
    """Mechanic: learns the scale of any optimizer's updates, from six forgetting factors 1 - 10^-k.

    As in optax: Delta is worked out from the parameters each step, and each bet is clipped to the largest so far.
    """
    given = offset(scratch, count)
    if phase == 0:
        # The optimizer may ask for another gradient, which then stands in place of this one.
        for i in range(count):
            store(scratch, i, load(params, i))
            store(given, i, load(grads, i))
    if phase != AFTER:
        return DONE
    kept, eps, first = offset(state, load(tensors, TENSOR.extra_at)), load(settings, 1), load(settings, 2)
    scales = offset(kept, 3 * BETAS)
    total = 0.0 * eps
    for k in range(BETAS):
        total += float64(load(scales, k)) if step > 1 else first
    # <g + pull theta, Delta> with Delta = (theta_0 - theta) / (total + eps), all at the point before the base's update.
    size, slope = sqrt(dot(scratch, scratch, count)), sqrt(dot(given, given, count))
    pull = load(settings, 0) * total * slope / (size + eps)
    past = real(1.0 / (total + eps))
    for i in range(count):
        update = load(scratch, i) - load(params, i)
        delta = (load(state, i) - load(scratch, i)) * past
        store(params, i, delta + update)
        store(given, i, fma(real(pull), load(scratch, i), load(given, i)))
        store(scratch, i, delta)
    bet = dot(given, scratch, count)
    grown = real(bet_on(step, bet, eps, first, kept))
    for i in range(count):
        store(params, i, fma(-grown, load(params, i), load(state, i)))
    return DONE
