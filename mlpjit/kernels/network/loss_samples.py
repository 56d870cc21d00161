"""Labels drawn from what a network predicts, where a loss is the negative log-likelihood of a distribution.

The Fisher information is the mean of g g^T over such labels (Martens & Grosse 2015, arXiv:1503.05671, section 2). Each
kernel turns the outputs into the gradient of the loss on its own draws; label smoothing has no part in it.
"""

from __future__ import annotations

from mlpjit.kernels.arithmetic import elementary
from mlpjit.kernels.arithmetic.random import STREAMS, normal_at, uniform_at
from mlpjit.kernels.language import Int, Real, Reals, float64, kernel, load, offset, real, select, sqrt, store

exp, sigmoid = elementary.exp, elementary.sigmoid
OPTIMIZER_STREAM = STREAMS["optimizer"]


@kernel
def sample_categorical(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, seed: Int, place: Int, scale: Real
) -> None:  # fmt: skip
    """z becomes (softmax(z) - y) scale, y one class a row: the first at which the summed probabilities reach u."""
    for i in range(rows):
        row = offset(predicted, i * stride)
        largest = load(row, 0)
        for j in range(1, outputs):
            largest = select(load(row, j) > largest, load(row, j), largest)
        mass = real(0.0)
        for j in range(outputs):
            grown = exp(load(row, j) - largest)
            mass += grown
            store(row, j, grown)
        wanted = real(uniform_at(seed, OPTIMIZER_STREAM, place, i)) * mass
        reached, chosen = load(row, 0), 0
        while reached < wanted and chosen < outputs - 1:
            chosen += 1
            reached += load(row, chosen)
        for j in range(outputs):
            y = select(j == chosen, real(1.0), real(0.0))
            store(row, j, (load(row, j) / mass - y) * scale)


@kernel
def sample_normal(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, seed: Int, place: Int, scale: Real
) -> None:  # fmt: skip
    """yhat becomes 2 (yhat - y) scale with y ~ N(yhat, 1/2), of which |yhat - y|^2 is the negative log-likelihood.

    What is not finite stays so.
    """
    factor = real(-sqrt(float64(2.0)))
    for k in range(rows * outputs):
        at = k // outputs * stride + k % outputs
        drawn = real(normal_at(seed, OPTIMIZER_STREAM, place, k))
        store(predicted, at, factor * drawn * scale + real(0.0) * load(predicted, at))


@kernel
def sample_bernoulli(
    rows: Int, outputs: Int, predicted: Reals, stride: Int, seed: Int, place: Int, scale: Real
) -> None:  # fmt: skip
    """z becomes (sigmoid(z) - y) scale with y ~ Bernoulli(sigmoid(z))."""
    for k in range(rows * outputs):
        at = k // outputs * stride + k % outputs
        share = sigmoid(load(predicted, at))
        drawn = real(uniform_at(seed, OPTIMIZER_STREAM, place, k))
        store(predicted, at, (share - select(drawn <= share, real(1.0), real(0.0))) * scale)
