"""A loss of your own: twice the square root of 1 + d^2 / 2, less 2: a square near 0, straight far out."""

from mlpjit.extending import loss, sqrt


@loss(formula="L = (1/n) sum_i sum_k 2 (sqrt(1 + d^2 / 2 s^2) - 1) s^2, d = yhat_ik - y_ik", scale=1.0)
def soft_square(output, target, scale):
    d = (output - target) / scale
    root = sqrt(1.0 + 0.5 * d * d)
    return 2.0 * scale * scale * (root - 1.0), scale * d / root, 1.0 / (root * root * root)
