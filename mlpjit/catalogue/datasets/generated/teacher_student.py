"""Regression on the output of a known network, so that the best loss is known.

Without noise the best loss is 0: a network with one tanh hidden layer of `teacher_width` units or more holds
the teacher (targets are standardized, which its last layer absorbs). With noise the best expected loss is the
sum over outputs k of noise^2 / d_k^2, d_k the standard deviation that target k was divided by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlpjit.catalogue.datasets.matrices import product
from mlpjit.catalogue.datasets.records import NO_SCALING, Floats, Raw, Shape, check_sampling, dataset, require

INPUT_GAIN = 2.0  # pre-activations of standard deviation 2: far from linear
X, HIDDEN, BIAS, OUTPUT, NOISE = range(5)  # which draws: places in the random stream


@dataclass(frozen=True)
class Teacher:
    """y = tanh(x hidden + bias) output; hidden (inputs, width), bias (width,), output (width, outputs)."""

    hidden: Floats
    bias: Floats
    output: Floats

    def __call__(self, x: Floats) -> Floats:
        """Return the outputs (n, outputs) for x (n, inputs)."""
        from mlpjit.kernels.arithmetic.mapping import evaluate

        z = product(x, self.hidden) + self.bias
        return product(evaluate("tanh", z), self.output)


def teacher(inputs: int, teacher_width: int, outputs: int, data_seed: int) -> Teacher:
    """Return the network that generates the targets; its weights are normal with variance gain^2 / fan_in."""
    from mlpjit.kernels.arithmetic.random import normals

    hidden = normals(data_seed, "data", inputs * teacher_width, place=HIDDEN).reshape(inputs, teacher_width)
    output = normals(data_seed, "data", teacher_width * outputs, place=OUTPUT).reshape(teacher_width, outputs)
    bias = normals(data_seed, "data", teacher_width, place=BIAS)
    return Teacher(INPUT_GAIN / math.sqrt(inputs) * hidden, bias, output / math.sqrt(teacher_width))


def shape(samples: int, inputs: int, teacher_width: int, outputs: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("teacher_student", samples, noise, data_seed)
    for name, value in (("inputs", inputs), ("teacher_width", teacher_width), ("outputs", outputs)):
        require("teacher_student", name, value, 1, 10_000)
    return Shape(samples, inputs, outputs)


@dataset(
    task="regression",
    scaling=NO_SCALING,
    shape=shape,
    formula="y = V^T tanh(W^T x + b) + N(0, noise^2), x ~ N(0, 1); best loss known (0 without noise)",
    citation="Gardner & Derrida 1989, Journal of Physics A 22, 1983-1994",
)
def teacher_student(
    samples: int = 2000,
    inputs: int = 10,
    teacher_width: int = 16,
    outputs: int = 1,
    noise: float = 0.0,
    data_seed: int = 0,
) -> Raw:
    """Outputs of a random teacher network with one tanh hidden layer; the best loss is known."""
    from mlpjit.kernels.arithmetic.random import normals

    x = normals(data_seed, "data", samples * inputs, place=X).reshape(samples, inputs)
    draws = normals(data_seed, "data", samples * outputs, place=NOISE).reshape(samples, outputs)
    return Raw(x, teacher(inputs, teacher_width, outputs, data_seed)(x) + noise * draws)
