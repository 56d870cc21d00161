"""AdaGrad and what came of it: steps over the root of summed or averaged squares, no bias correction."""

from __future__ import annotations

from mlpjit.bounds import DIVISOR
from mlpjit.extending import (
    ByDtype,
    device,
    elementwise,
    float32,
    float64,
    fma,
    from_bits,
    iadd,
    iashr,
    ishl,
    isub,
    select,
    sqrt,
    to_bits,
)


def adagrad_scalars(step, learning_rate, eps, eps_root, initial_accumulator):
    """The rate and both epsilons."""
    return learning_rate, eps, eps_root


@elementwise(
    scalars=adagrad_scalars, formula="s += g^2; theta -= eta g / (sqrt(s + eps_root) + eps)",
    citation="Duchi, Hazan & Singer 2011, JMLR 12, figure 1 (diagonal)", state=("sum",),
    initial={"sum": "initial_accumulator"}, eps=1e-10, eps_root=0.0, initial_accumulator=0.0,
    divisors=("eps", "eps_root"),
)  # fmt: skip
def adagrad(g, sum, rate, eps, eps_root):
    """Steps over the root of all squares so far; the paper's delta is eps, its sum starts at 0 (in optax at 0.1)."""
    sum = fma(g, g, sum)
    return rate * g / (sqrt(sum + eps_root) + eps), sum


def adadelta_scalars(step, learning_rate, rho, eps):
    """The rate, both weights of the averages, epsilon."""
    return learning_rate, rho, 1.0 - rho, eps


@elementwise(
    scalars=adadelta_scalars,
    formula="v = rho v + (1 - rho) g^2; d = sqrt(u + eps) / sqrt(v + eps) g; u = rho u + (1 - rho) d^2; "
    "theta -= eta d", citation="Zeiler 2012, arXiv:1212.5701, algorithm 1", state=("nu", "delta"), rho=0.95, eps=1e-6,
    limits={"eps": DIVISOR},
)  # fmt: skip
def adadelta(g, nu, delta, rate, rho, rest, eps):
    """Steps in the parameters' own units; the paper has no rate: eta = 1."""
    nu = fma(rho, nu, rest * g * g)
    change = sqrt((delta + eps) / (nu + eps)) * g
    return rate * change, nu, fma(rho, delta, rest * change * change)


def rmsprop_scalars(step, learning_rate, rho, eps, eps_root):
    """The rate, both weights of the average, both epsilons."""
    return learning_rate, rho, 1.0 - rho, eps, eps_root


@elementwise(
    scalars=rmsprop_scalars, formula="v = rho v + (1 - rho) g^2; theta -= eta g / (sqrt(v + eps_root) + eps)",
    citation="Hinton 2012, lecture 6e", state=("nu",), rho=0.9, eps=0.0, eps_root=1e-16, divisors=("eps", "eps_root"),
)  # fmt: skip
def rmsprop(g, nu, rate, rho, rest, eps, eps_root):
    """Gradients over their running root mean square; epsilon stands under the root (eps_root)."""
    nu = fma(rho, nu, rest * g * g)
    return rate * g / (sqrt(nu + eps_root) + eps), nu


def centered_rmsprop_scalars(step, learning_rate, rho, momentum, eps, eps_root, centered, rate_inside):
    """The rate outside and inside the velocity, the weights, how much of the squared mean is taken off, epsilons."""
    inside, outside = (learning_rate, 1.0) if rate_inside != 0.0 else (1.0, learning_rate)
    return outside, inside, rho, 1.0 - rho, momentum, -centered, eps, eps_root


@elementwise(
    scalars=centered_rmsprop_scalars,
    formula="v, m = EMA(g^2), EMA(g); u = b u + eta g / (sqrt(v - m^2 + eps_root) + eps); theta -= u",
    citation="Graves 2013, arXiv:1308.0850, eq. 38-45", state=("nu", "mean", "velocity"), rho=0.95, momentum=0.9,
    eps=0.0, eps_root=1e-4, centered=True, rate_inside=True, divisors=("eps", "eps_root"),
)  # fmt: skip
def centered_rmsprop(g, nu, mean, velocity, outside, inside, rho, rest, b, minus, eps, eps_root):
    """RMSProp over the running standard deviation, with momentum; centered=False leaves the mean in.

    rate_inside=False: u = b u + g / ..., theta -= eta u, as in torch.
    """
    nu, mean = fma(rho, nu, rest * g * g), fma(rho, mean, rest * g)
    variance = fma(minus * mean, mean, nu) + eps_root
    deviation = sqrt(select(variance <= 0.0, eps_root, variance)) + eps  # rounding may leave less than nothing
    velocity = fma(b, velocity, inside * g / deviation)
    return outside * velocity, nu, mean, velocity


# A constant less a third of the bits of x are the bits of a guess r of 0.749 x^(-1/3), within 4 %. In float32 the
# sum stands in the lowest bits of 3/2 * 2^35 and more, in steps of 2^12: r has 12 digits, and r r is exact.
GUESS_BITS, DROPPED_BITS = 52955971584.0, 12  # 3/2 * 2^35 + 1416364032
GUESS_FLOAT64 = 4.317107990547738e102
THIRD, SECOND_TERM, THIRD_TERM = 1.0 / 3.0, 2.0 / 9.0, 14.0 / 81.0  # of (1 - h)^(-1/3)
SQUARE_TERM, CUBE_TERM = 1.0 / 9.0, 5.0 / 81.0  # of -(1 - h)^(1/3)
# -(CENTER - h)^(1/3) is LEAST + h ((h h + INNER)(h + SHIFT) + OUTER) within 1.3e-8 where |h| < 0.0376. With 0.749
# the leading coefficient is 1, which saves a product (Knuth, The Art of Computer Programming 2, section 4.6.4).
CENTER = 0.4197893440723419
INNER, SHIFT, OUTER, LEAST = 0.47209957242012024, 0.6278260350227356, 0.29815635085105896, -0.7487620115280151


@device
def _root_parts_float32(x, more):
    r = from_bits(ishl(to_bits(fma(float32(to_bits(x)), -THIRD, GUESS_BITS)), DROPPED_BITS))
    h = fma(-(x * r), r * r, CENTER)
    return r, fma(h, fma(fma(h, h, INNER), h + SHIFT, OUTER), fma(-more, r, LEAST))


@device
def _root_parts_float64(x, more):
    """Four terms of (1 - h)^(-1/3), h = 1 - x r^3, make 4 % of error 2e-5, four of (1 - h)^(1/3) nothing.

    The guess is in shifts, as vectors of AVX2 do not convert whole numbers of 64 bits.
    """
    bits = to_bits(x)
    third = iadd(iashr(bits, 2), iashr(bits, 4))
    third = iadd(third, iashr(third, 4))
    third = iadd(third, iashr(third, 8))
    r = from_bits(isub(to_bits(GUESS_FLOAT64), third))
    h = fma(-(x * r), r * r, 1.0)
    r = select(h > -1.0, fma(r * h, fma(h, fma(h, THIRD_TERM, SECOND_TERM), THIRD), r), r)  # not where x = inf
    h = fma(-(x * r), r * r, 1.0)
    return r, fma(h, fma(h, fma(h, CUBE_TERM, SQUARE_TERM), THIRD), fma(-more, r, -1.0))


# r near x^(-1/3), or a constant times that, and -r (x^(1/3) + more), for x >= 0: within 1 ulp for more = 0 where x is
# normal, not far from 0 where it is less, infinite where it is inf. a / (x^(1/3) + more) takes one division, of -a r by
# the latter, and no other.
root_parts = ByDtype("root_parts", _root_parts_float32, _root_parts_float64)


def madgrad_scalars(step, learning_rate, momentum, eps, eps_in_rate):
    """lambda_k = eta sqrt(k), the weight of z, epsilon."""
    rate = learning_rate + eps if eps_in_rate != 0.0 else learning_rate
    return rate * sqrt(float64(step)), 1.0 - momentum, eps


@elementwise(
    scalars=madgrad_scalars, formula="l = eta sqrt(k); s += l g; v += l g^2; z = theta_0 - s / (v^(1/3) + eps); "
    "theta = b theta + (1 - b) z", citation="Defazio & Jelassi 2021, arXiv:2101.11075, algorithm 1",
    state=("sum", "sum_squares", "start"), uses_params=True, initial={"start": "params"}, interleave=2, momentum=0.9,
    eps=1e-6, eps_in_rate=False,
)  # fmt: skip
def madgrad(g, theta, sum, squares, start, rate, weight, eps):
    """Dual averaging with a cube root. eps_in_rate adds eps to eta, as the authors' code and optax do."""
    scaled = rate * g
    sum, squares = sum + scaled, fma(scaled, g, squares)
    r, minus_divisor = root_parts(squares, eps)
    return weight * ((theta - start) - r * sum / minus_divisor), sum, squares, start
