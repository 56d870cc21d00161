"""Adam and those that change one part of it: decay, the second moment's maximum or norm, the momentum, the warm-up.

mu = EMA(g; b1) and nu = EMA(g^2; b2) throughout; a hat is a bias correction, 1 - b^t in the denominator. Every rule
divides by sqrt(nu + eps_root) + eps.
"""

from __future__ import annotations

from mlpjit.bounds import DIVISOR, LARGEST
from mlpjit.extending import absolute, at_least, device_float64, elementwise, exp, fma, larger, one_minus_power, sqrt

LOG_FADING = -0.040821994520255166  # log 0.96; a power compiles for half a second
MOMENTS = "m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; "


def adam_scalars(step, learning_rate, b1, b2, eps, eps_root):
    """The rate over the first bias correction, the weights, one over the second bias correction, both epsilons."""
    rate = learning_rate / one_minus_power(b1, step)
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root


@elementwise(
    scalars=adam_scalars, formula=MOMENTS + "theta -= eta m^ / (sqrt(v^ + eps_root) + eps)",
    citation="Kingma & Ba 2015, arXiv:1412.6980, algorithm 1", state=("mu", "nu"), b1=0.9, b2=0.999, eps=0.0,
    eps_root=1e-16, divisors=("eps", "eps_root"),
)  # fmt: skip
def adam(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root):
    """Adam with both bias corrections; epsilon stands under the root (eps_root); the paper has eps = 1e-8 outside."""
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return rate * mu / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu


def adamw_scalars(step, learning_rate, b1, b2, eps, eps_root, weight_decay):
    """As for Adam, and the decay of this step last."""
    rate = learning_rate / one_minus_power(b1, step)
    decay = learning_rate * weight_decay
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root, decay


@elementwise(
    scalars=adamw_scalars, formula=MOMENTS + "theta -= eta (m^ / (sqrt(v^ + eps_root) + eps) + lambda theta)",
    citation="Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2", state=("mu", "nu"), decays=True, b1=0.9,
    b2=0.999, eps=1e-8, eps_root=0.0, weight_decay=0.01, divisors=("eps", "eps_root"),
)  # fmt: skip
def adamw(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root, decay):
    """Adam with decoupled weight decay, which is multiplied by the rate as in torch and optax.

    The paper multiplies it by the schedule alone: its lambda is eta times ours. In a run only weight matrices decay,
    and the run's own weight_decay adds to this one; a single step decays all it is given.
    """
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return rate * mu / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu


def amsgrad_scalars(step, learning_rate, b1, b2, eps, eps_root, corrected, maximum_of_corrected):
    """The rate, the weights, the correction inside the maximum and the one outside, both epsilons."""
    rate, inside, outside = learning_rate, 1.0, 1.0
    if corrected != 0.0 or maximum_of_corrected != 0.0:
        rate = learning_rate / one_minus_power(b1, step)
        outside = 1.0 / one_minus_power(b2, step)
    if maximum_of_corrected != 0.0:
        inside, outside = outside, 1.0
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, inside, outside, eps, eps_root


@elementwise(
    scalars=amsgrad_scalars, formula=MOMENTS + "w = max(w, v); theta -= eta m / (sqrt(w + eps_root) + eps)",
    citation="Reddi, Kale & Kumar 2018, arXiv:1904.09237, algorithm 2", state=("mu", "nu", "nu_max"), b1=0.9, b2=0.999,
    eps=1e-8, eps_root=0.0, corrected=False, maximum_of_corrected=False, divisors=("eps", "eps_root"),
)  # fmt: skip
def amsgrad(g, mu, nu, nu_max, rate, b1, rest1, b2, rest2, inside, outside, eps, eps_root):
    """Adam with the largest second moment so far, uncorrected as in the paper (which has no eps).

    corrected: m^ and w^, the maximum's correction applied afterwards, as in torch. maximum_of_corrected: m^ and
    w = max(w, v^), as in optax.
    """
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    nu_max = larger(inside * nu, nu_max)
    return rate * mu / (sqrt(fma(nu_max, outside, eps_root)) + eps), mu, nu, nu_max


def adamax_scalars(step, learning_rate, b1, b2, eps):
    """The rate over the first bias correction, the weights, epsilon."""
    return learning_rate / one_minus_power(b1, step), b1, 1.0 - b1, b2, eps


@elementwise(
    scalars=adamax_scalars, formula="m = b1 m + (1 - b1) g; u = max(b2 u, |g| + eps); theta -= eta m^ / u",
    citation="Kingma & Ba 2015, arXiv:1412.6980, algorithm 2", state=("mu", "norm"), b1=0.9, b2=0.999, eps=1e-8,
    limits={"eps": DIVISOR},
)  # fmt: skip
def adamax(g, mu, norm, rate, b1, rest1, b2, eps):
    """Adam with the infinity norm. The paper has no eps; it stands where torch and optax have it."""
    mu = fma(b1, mu, rest1 * g)
    norm = larger(absolute(g) + eps, b2 * norm)
    return rate * mu / norm, mu, norm


@device_float64
def _momentum_at(step, b1, fading):
    """Dozat's schedule: b1 (1 - fading^t / 2), from b1 / 2 up to b1."""
    return 0.5 * b1 * (1.0 + one_minus_power(fading, step))


@device_float64
def _momentum_product(step, b1, fading):
    """The product of the schedule over all steps so far. Below 1e-20 it is 0: it is only taken from 1."""
    product, factor, earlier = 1.0, 0.0, 1
    while earlier <= step and factor < 1.0:
        factor = _momentum_at(earlier, b1, fading)
        product *= factor
        if product < 1e-20:
            return 0.0
        earlier += 1
    return product


def nadam_scalars(step, learning_rate, b1, b2, eps, eps_root, scheduled, momentum_decay, varied):
    """The rates of gradient and momentum with their corrections, the weights, the second correction, epsilons.

    varied: 1 minus the product of the b1 of all steps so far where each has had its own, else 0.
    """
    now, following, product = b1, b1, 1.0 - one_minus_power(b1, step)
    if scheduled != 0.0:
        fading = exp(momentum_decay * LOG_FADING)
        now, following = _momentum_at(step, b1, fading), _momentum_at(step + 1, b1, fading)
        product = (1.0 - varied) * _momentum_product(step, b1 if varied == 0.0 else 1.0, fading)
    of_g = learning_rate * (1.0 - now) / (1.0 - product)
    of_mu = learning_rate * following / (1.0 - product * following)
    return of_g, of_mu, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / one_minus_power(b2, step), eps, eps_root


@elementwise(
    scalars=nadam_scalars, formula=MOMENTS + "theta -= eta (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) / "
    "(sqrt(v^ + eps_root) + eps)", citation="Dozat 2016, ICLR workshop, algorithm 2", state=("mu", "nu"), b1=0.9,
    b2=0.999, eps=1e-8, eps_root=0.0, scheduled=False, momentum_decay=0.004, momentum_product=True,
    divisors=("eps", "eps_root"),
)  # fmt: skip
def nadam(g, mu, nu, of_g, of_mu, b1, rest1, b2, rest2, correction, eps, eps_root):
    """Adam with Nesterov's momentum; the paper's further factor b2 on v^ is left out, as in every code.

    scheduled: b1 (1 - 0.5 0.96^(t momentum_decay)) in place of b1 where g and m are combined, as in torch; m itself
    keeps b1. Corrected is with the product of all momenta that were combined, also where `momentum_schedule` sets b1.
    """
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return fma(of_mu, mu, of_g * g) / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu


def radam_scalars(step, learning_rate, b1, b2, eps, eps_root, threshold, eps_uncorrected):
    """As for Adam, the rate rectified; at or below the threshold a denominator of sqrt(0 v + 1) + 0."""
    missing = one_minus_power(b2, step)
    rate = learning_rate / one_minus_power(b1, step)
    longest = 2.0 / (1.0 - b2) - 1.0
    length = longest - 2.0 * step * (1.0 - missing) / missing
    if length <= threshold:
        return rate, b1, 1.0 - b1, b2, 1.0 - b2, 0.0, 0.0, 1.0
    known = (length - 4.0) * (length - 2.0) * longest
    rate *= sqrt(known / ((longest - 4.0) * (longest - 2.0) * length))
    outside = eps / sqrt(missing) if eps_uncorrected != 0.0 else eps
    return rate, b1, 1.0 - b1, b2, 1.0 - b2, 1.0 / missing, outside, eps_root


@elementwise(
    scalars=radam_scalars,
    formula=MOMENTS + "theta -= eta r_t m^ / (sqrt(v^ + eps_root) + eps) if rho_t > 4 else eta m^",
    citation="Liu et al. 2020, arXiv:1908.03265, algorithm 2", state=("mu", "nu"), b1=0.9, b2=0.999, eps=1e-8,
    eps_root=0.0, threshold=4.0, eps_uncorrected=False, divisors=("eps", "eps_root"),
    limits={"threshold": at_least(4, LARGEST)},  # below it no root is real
)  # fmt: skip
def radam(g, mu, nu, rate, b1, rest1, b2, rest2, correction, eps, eps_root):
    """Adam whose rate is rectified for the variance of v, and momentum alone while that has too few samples.

    The paper's threshold is 4, that of torch and optax 5. eps_uncorrected: sqrt(v) + eps is corrected as a whole, as
    in torch. The paper has no eps.
    """
    mu = fma(b1, mu, rest1 * g)
    nu = fma(b2, nu, rest2 * g * g)
    return rate * mu / (sqrt(fma(nu, correction, eps_root)) + eps), mu, nu
