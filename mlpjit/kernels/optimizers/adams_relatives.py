"""Adaptive optimizers whose moments are other than Adam's, or stand in another order."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    device,
    device_float64,
    elementwise,
    exp,
    float64,
    fma,
    larger,
    log,
    one_minus_power,
    select,
    sign,
    sqrt,
)
from mlpjit.kernels.optimizers.adams import MOMENTS

NO_LIMIT = float("inf")


def adabelief_scalars(step, learning_rate, b1, b2, eps, eps_root):
    """As for Adam."""
    rate = learning_rate / one_minus_power(b1, step)
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root


@elementwise(
    scalars=adabelief_scalars, formula="m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) (g - m)^2 + eps_root; "
    "theta -= eta m^ / (sqrt(v^) + eps)", citation="Zhuang et al. 2020, arXiv:2010.07468, algorithm 2",
    state=("mu", "nu"), b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16, divisors=("eps", "eps_root"),
)  # fmt: skip
def adabelief(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root):
    """Steps over how far the gradient is from its average. Epsilons as in the authors' code and optax."""
    mu = fma(b1, mu, rest1 * g)
    surprise = g - mu
    nu = fma(b2, nu, rest2 * surprise * surprise) + eps_root
    return rate * mu / (sqrt(nu * correction) + eps), mu, nu


def yogi_scalars(step, learning_rate, b1, b2, eps, eps_root, corrected, initial_nu, initial_mu):
    """As for Adam, the corrections 1 without `corrected`."""
    rate, correction = learning_rate, 1.0
    if corrected != 0.0:
        rate, correction = learning_rate / one_minus_power(b1, step), 1.0 / one_minus_power(b2, step)
    return rate, b1, 1.0 - b1, b2 - 1.0, correction, eps, eps_root


@elementwise(
    scalars=yogi_scalars,
    formula="m = b1 m + (1 - b1) g; v -= (1 - b2) sign(v - g^2) g^2; theta -= eta m / (sqrt(v + eps_root) + eps)",
    citation="Zaheer et al. 2018, NeurIPS, algorithm 2", state=("mu", "nu"),
    initial={"mu": "initial_mu", "nu": "initial_nu"}, b1=0.9, b2=0.999, eps=1e-3, eps_root=0.0, corrected=False,
    initial_nu=0.0, initial_mu=0.0, divisors=("eps", "eps_root"),
)  # fmt: skip
def yogi(g, mu, nu, rate, b1, rest1, minus, correction, eps, eps_root):
    """Adam whose second moment moves by an amount that does not depend on itself.

    corrected: m^ and v^, with both moments begun at 1e-6, is the form of optax.
    """
    mu = fma(b1, mu, rest1 * g)
    square = g * g
    nu = fma(minus * sign(nu - square), square, nu)
    return rate * mu / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu


def adabound_scalars(step, learning_rate, b1, b2, eps, final_rate, gamma, corrected):
    """The rate with its corrections, the weights, epsilon, both bounds of this step."""
    rate = learning_rate
    if corrected != 0.0:
        rate *= sqrt(one_minus_power(b2, step)) / one_minus_power(b1, step)
    lowest, highest = 1.0 - 1.0 / (gamma * step + 1.0), 1.0 + 1.0 / (gamma * step)
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, eps, final_rate * lowest, final_rate * highest


@device
def _within(x, low, high):
    """Clip to an interval; NaN stays NaN."""
    x = select(x < low, low, x)
    return select(x > high, high, x)


@elementwise(
    scalars=adabound_scalars, formula=MOMENTS + "theta -= clip(eta / (sqrt(v) + eps), low_t, high_t) m",
    citation="Luo et al. 2019, arXiv:1902.09843, algorithm 2", state=("mu", "nu"), b1=0.9, b2=0.999, eps=1e-8,
    final_rate=0.1, gamma=1e-3, corrected=False, limits={"eps": DIVISOR},
)  # fmt: skip
def adabound(g, mu, nu, rate, b1, rest1, b2, rest2, eps, low, high):
    """Adam whose steps per entry are clipped into an interval that closes on SGD's final_rate.

    corrected: with the bias corrections of the authors' code. The 1 / sqrt(t) of the paper's proof is a schedule; a
    schedule does not move the bounds.
    """
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return _within(rate / (sqrt(nu) + eps), low, high) * mu, mu, nu


@elementwise(
    scalars=adabound_scalars, formula=MOMENTS + "w = max(w, v); theta -= clip(eta / (sqrt(w) + eps), low_t, high_t) m",
    citation="Luo et al. 2019, arXiv:1902.09843, algorithm 3", state=("mu", "nu", "nu_max"), b1=0.9, b2=0.999, eps=1e-8,
    final_rate=0.1, gamma=1e-3, corrected=False, limits={"eps": DIVISOR},
)  # fmt: skip
def amsbound(g, mu, nu, nu_max, rate, b1, rest1, b2, rest2, eps, low, high):
    """AdaBound with the largest second moment so far."""
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    nu_max = larger(nu, nu_max)
    return _within(rate / (sqrt(nu_max) + eps), low, high) * mu, mu, nu, nu_max


def adan_scalars(step, learning_rate, b1, b2, b3, eps, eps_root, complement):
    """The rates of both averages with their corrections, the weights, whether there is a gradient before, epsilons."""
    share = 1.0 - b2 if complement != 0.0 else b2
    of_mu = learning_rate / one_minus_power(b1, step)
    of_delta = learning_rate * share / one_minus_power(b2, step)
    before = 1.0 if step > 1 else 0.0
    correction = 1.0 / one_minus_power(b3, step)
    return of_mu, of_delta, b1, 1.0 - b1, b2, 1.0 - b2, b3, 1.0 - b3, before, share, correction, eps, eps_root


@elementwise(
    scalars=adan_scalars, formula="m = EMA(g; b1); d = EMA(g - g'; b2); n = EMA((g + b2 (g - g'))^2; b3); "
    "theta -= eta (m^ + b2 d^) / (sqrt(n^ + eps_root) + eps)",
    citation="Xie et al. 2024, arXiv:2208.06677, algorithm 1", state=("mu", "delta", "nu", "last_g"), b1=0.98, b2=0.92,
    b3=0.99, eps=1e-8, eps_root=0.0, complement=False, divisors=("eps", "eps_root"),
)  # fmt: skip
def adan(
    g, mu, delta, nu, last_g, of_mu, of_delta, b1, rest1, b2, rest2, b3, rest3, before, share, correction, eps, eps_root
):  # fmt: skip
    """Averages of the gradient, of its changes and of the square of both; our b is 1 - beta of the paper.

    Bias corrections as in the authors' code; the paper starts m at g_0 instead. complement: the changes weigh 1 - b2, a
    mistake of optax 0.2 (its pull request 1715). The paper's proximal decay is left to the run's weight_decay.
    """
    change = before * (g - last_g)
    mu = fma(b1, mu, rest1 * g)
    delta = fma(b2, delta, rest2 * change)
    ahead = fma(share, change, g)
    nu = fma(b3, nu, rest3 * ahead * ahead)
    return fma(of_delta, delta, of_mu * mu) / (sqrt(fma(nu, correction, eps_root)) + eps), mu, delta, nu, g


def laprop_scalars(step, learning_rate, b1, b2, eps, eps_root):
    """As for Adam."""
    rate = learning_rate / one_minus_power(b1, step)
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root


@elementwise(
    scalars=laprop_scalars,
    formula="v = b2 v + (1 - b2) g^2; m = b1 m + (1 - b1) g / (sqrt(v^ + eps_root) + eps); theta -= eta m^",
    citation="Ziyin, Wang & Ueda 2020, arXiv:2002.04839, algorithm 1", state=("mu", "nu"), b1=0.9, b2=0.999, eps=1e-15,
    eps_root=0.0, divisors=("eps", "eps_root"),
)  # fmt: skip
def laprop(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root):
    """The momentum of normalized gradients; the rate stands outside of it as in the paper, in codes inside."""
    nu = fma(b2, nu, rest2 * g * g)
    mu = fma(b1, mu, rest1 * g / (sqrt(fma(nu, correction, eps_root)) + eps))
    return rate * mu, mu, nu


def adopt_scalars(step, learning_rate, b1, b2, eps, clipping):
    """The rate, the weights (the first gradient only starts nu), epsilon, the limit t^(1/4)."""
    limit = sqrt(sqrt(float64(step - 1))) if clipping != 0.0 else NO_LIMIT
    if step == 1:
        return learning_rate, 1.0, 0.0, 0.0, 1.0, eps, limit
    return learning_rate, b1, 1.0 - b1, b2, 1.0 - b2, eps, limit


@elementwise(
    scalars=adopt_scalars,
    formula="m = b1 m + (1 - b1) clip(g / max(sqrt(v), eps), t^(1/4)); theta -= eta m; v = b2 v + (1 - b2) g^2",
    citation="Taniguchi et al. 2024, arXiv:2411.02853 (with clipping)", state=("mu", "nu"), b1=0.9, b2=0.9999, eps=1e-6,
    clipping=True, limits={"eps": DIVISOR},
)  # fmt: skip
def adopt(g, mu, nu, rate, b1, rest1, b2, rest2, eps, limit):
    """Normalizes by the second moment before this gradient. The first gradient moves nothing: v_0 = g_0^2, t from 0."""
    scaled = _within(g / larger(sqrt(nu), eps), -limit, limit)
    mu = fma(b1, mu, rest1 * scaled)
    return rate * mu, mu, fma(b2, nu, rest2 * g * g)


@device_float64
def _warmed_average(share, b1, b3):
    """The weight whose half-life is a share of the way from b1's to b3's; that of a weight of 0 is 0."""
    log1, log3 = log(b1), log(b3)
    if b1 == 0.0:
        return exp(log3 / share)
    if b3 == 0.0:
        return exp(log1 / (1.0 - share))
    return exp(log1 * log3 / ((1.0 - share) * log3 + share * log1))


def ademamix_scalars(step, learning_rate, b1, b2, b3, alpha, eps, eps_root, warmup):
    """The rates of both averages, the weights, the second correction, both epsilons."""
    share = float64(step) / warmup if step < warmup else 1.0
    slow = _warmed_average(share, b1, b3) if share < 1.0 else b3
    of_fast, of_slow = learning_rate / one_minus_power(b1, step), learning_rate * alpha * share
    correction = 1.0 / one_minus_power(b2, step)
    return of_fast, of_slow, b1, 1.0 - b1, b2, 1.0 - b2, slow, 1.0 - slow, correction, eps, eps_root


@elementwise(
    scalars=ademamix_scalars, formula="m, n = EMA(g; b1), EMA(g; b3); v = EMA(g^2; b2); theta -= eta (m^ + alpha n) / "
    "(sqrt(v^ + eps_root) + eps)", citation="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, algorithm 1",
    state=("fast", "slow", "nu"), b1=0.9, b2=0.999, b3=0.9999, alpha=5.0, eps=1e-8, eps_root=0.0, warmup=0.0,
    divisors=("eps", "eps_root"),
)  # fmt: skip
def ademamix(g, fast, slow, nu, of_fast, of_slow, b1, rest1, b2, rest2, b3, rest3, correction, eps, eps_root):
    """Adam with a second, slow average that is not corrected.

    warmup: the steps over which alpha grows from 0 and b3 from b1 (the paper's T_alpha = T_beta3, which it sets to
    the length of the run); 0 for none. The paper's decay is the run's weight_decay.
    """
    fast = fma(b1, fast, rest1 * g)
    slow = fma(b3, slow, rest3 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return fma(of_slow, slow, of_fast * fast) / (sqrt(fma(nu, correction, eps_root)) + eps), fast, slow, nu
