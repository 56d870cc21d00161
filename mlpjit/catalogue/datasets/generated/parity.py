"""Parity of a few bits among many: no single bit, nor any smaller set of them, tells anything."""

from __future__ import annotations

import numpy as np

from mlpjit.catalogue.datasets.records import NO_SCALING, Raw, Shape, check_sampling, dataset, even_counts, require

BITS, NOISE = range(2)  # which draws: places in the random stream


def shape(samples: int, bits: int, relevant: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("parity", samples, noise, data_seed)
    require("parity", "bits", bits, 1, 1000)
    require("parity", "relevant", relevant, 1, bits)
    return Shape(samples, bits, 2, even_counts(samples, 2))


@dataset(
    task="classification",
    scaling=NO_SCALING,
    shape=shape,
    formula="x in {-1, 1}^bits plus N(0, noise^2); class 1 where an odd number of the first `relevant` bits is 1",
    citation="Minsky & Papert 1969, Perceptrons; Barak et al. 2022, arXiv:2207.08799",
)
def parity(
    samples: int = 2000, bits: int = 10, relevant: int = 3, noise: float = 0.0, data_seed: int = 0
) -> Raw:  # fmt: skip
    """Is the number of ones among the first bits even or odd? Classes of equal size."""
    from mlpjit.kernels.arithmetic.random import normals, uniforms

    labels = np.repeat(np.array([0, 1]), even_counts(samples, 2))
    ones = uniforms(data_seed, "data", samples * bits, place=BITS).reshape(samples, bits) > 0.5
    # The last relevant bit is what the label makes it: uniform, as the others are.
    ones[:, relevant - 1] = (ones[:, : relevant - 1].sum(axis=1) + labels) % 2 == 1
    draws = normals(data_seed, "data", samples * bits, place=NOISE).reshape(samples, bits)
    return Raw(np.where(ones, 1.0, -1.0) + noise * draws, labels, ("even", "odd"))
