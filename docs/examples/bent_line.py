"""An activation of your own: a straight line bent smoothly at 0, its curve as wide as `width`."""

from mlpjit.extending import activation, sqrt


@activation(formula="f(z) = (z + sqrt(z^2 + width^2)) / 2", width=1.0)
def bent_line(z, width):
    root = sqrt(z * z + width * width)
    return 0.5 * (z + root), 0.5 * (1.0 + z / root), 0.5 * width * width / (root * root * root)
