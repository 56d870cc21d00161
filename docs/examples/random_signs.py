"""An initializer of your own: weights of one size and random signs, as large as He's are on average."""

import numpy as np

from mlpjit.extending import initializer


@initializer(formula="W = +- gain / sqrt(fan_in)", gain=1.4142)
def random_signs(draw, gain):
    return np.where(draw.uniform() > 0.0, gain, -gain) / np.sqrt(draw.fan_in)
