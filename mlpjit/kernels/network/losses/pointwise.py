"""Losses that treat each output alone: (output, target, *settings) -> (value, slope, bend by the output)."""

from __future__ import annotations

from mlpjit.bounds import above
from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.language import absolute, copysign, float64, real, select
from mlpjit.kernels.network.loss_rules import pointwise
from mlpjit.kernels.network.loss_samples import sample_bernoulli, sample_normal

exp_pair, tanh_and_slope = elementary.exp_pair, elementary.tanh_and_slope
log1p_of_fraction = elementary.log1p_of_fraction

LOG_2 = 0.6931471805599453


@pointwise("L = (1/n) sum_i |yhat_i - y_i|^2", "Goodfellow et al. 2016, Deep Learning, eq. 5.4", sample=sample_normal)
def mse(output, target):
    """Mean squared error: mean over samples, sum over outputs, no 1/2."""
    difference = output - target
    return float64(difference) * float64(difference), difference + difference, real(2.0)


@pointwise("L = (1/n) sum_i sum_k |yhat_ik - y_ik|", "Bloomfield & Steiger 1983, Least Absolute Deviations")
def mae(output, target):
    """Mean absolute error: mean over samples, sum over outputs. Slope 0 where output and target agree."""
    difference = output - target
    size = absolute(difference)
    # NaN is not above 0 and stays.
    return size, select(size > 0.0, copysign(real(1.0), difference), difference), real(0.0)


@pointwise(
    "L = (1/n) sum_i sum_k (d^2 / 2 if |d| <= delta else delta (|d| - delta / 2)), d = yhat_ik - y_ik",
    "Huber 1964, Annals of Mathematical Statistics 35(1)", limits={"delta": above(0)}, delta=1.0,
)  # fmt: skip
def huber(output, target, delta):
    """Huber's loss: half a square up to delta, straight beyond; mean over samples, sum over outputs."""
    difference = output - target
    size, far = absolute(difference), absolute(difference) > delta
    square = 0.5 * (float64(difference) * float64(difference))
    line = float64(delta) * (float64(size) - 0.5 * float64(delta))
    slope = select(far, copysign(delta, difference), difference)
    return select(far, line, square), slope, select(far, real(0.0), real(1.0))


@pointwise("L = (1/n) sum_i sum_k log cosh(yhat_ik - y_ik)", "Green 1990, IEEE Transactions on Medical Imaging 9(1)")
def log_cosh(output, target):
    """Half a square near 0, |d| - log 2 far out, smooth between; mean over samples, sum over outputs."""
    difference = output - target
    size = absolute(difference)
    shrunk, fallen = exp_pair(-size)
    # cosh d - 1 = (1 - e^-|d|)^2 / (2 e^-|d|) near 0; |d| - log 2 + log(1 + e^-2|d|) would cancel there.
    near = size < 1.0
    logarithm = log1p_of_fraction(select(near, fallen * fallen / (shrunk + shrunk), shrunk * shrunk))
    slope, bend = tanh_and_slope(difference)
    return select(near, logarithm, (size - LOG_2) + logarithm), slope, bend


@pointwise(
    "L = -(1/n) sum_i sum_k (y_ik log s(z_ik) + (1 - y_ik) log(1 - s(z_ik))), s the sigmoid",
    "Cox 1958, Journal of the Royal Statistical Society B 20(2)", logits=True, classes=True, sample=sample_bernoulli,
)  # fmt: skip
def binary_cross_entropy(output, target):
    """Sigmoid cross-entropy of each output alone, from logits; several classes are told one against the rest."""
    size = absolute(output)
    shrunk, _ = exp_pair(-size)
    inverse = 1.0 / (1.0 + shrunk)
    less_likely = shrunk * inverse
    above_zero = output > 0.0
    # What of the target lies on the other side of 0; nothing, times an infinite logit, is nothing.
    wrong = select(above_zero, 1.0 - target, target)
    value = log1p_of_fraction(shrunk) + select(wrong == 0.0, real(0.0), wrong * size)
    return value, select(above_zero, wrong - less_likely, less_likely - wrong), less_likely * inverse


@pointwise(
    "L = (1/n) sum_i sum_k max(0, 1 - t_ik z_ik), t = 2 y - 1",
    "Cortes & Vapnik 1995; one against the rest: Rifkin & Klautau 2004", logits=True, classes=True,
)  # fmt: skip
def hinge(output, target):
    """The margin loss of support vector machines, one class against the rest. Slope 0 where the margin is 1."""
    side = target + target - 1.0
    missing = 1.0 - side * output
    off = missing <= 0.0
    slope = select(off, real(0.0), select(missing > 0.0, -side, missing))
    return select(off, real(0.0), missing), slope, real(0.0)
