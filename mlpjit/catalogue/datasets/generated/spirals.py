"""Intertwined spirals: hard for shallow networks, easy to look at."""

from __future__ import annotations

import math

import numpy as np

from mlpjit.catalogue.datasets.records import STANDARDIZE, Raw, Shape, check_sampling, dataset, even_counts, require


def shape(samples: int, classes: int, turns: float, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("spirals", samples, noise, data_seed)
    require("spirals", "classes", classes, 2, 100)
    require("spirals", "turns", turns, 0, 100)
    return Shape(samples, 2, classes, even_counts(samples, classes))


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    shape=shape,
    formula="r (cos a, sin a), a = 2 pi (turns r + c / classes), r in (0, 1], plus N(0, noise^2)",
    citation="Lang & Witbrock 1988, Proceedings of the 1988 Connectionist Models Summer School, 52-59",
)
def spirals(samples: int = 1500, classes: int = 3, turns: float = 1.0, noise: float = 0.03, data_seed: int = 0) -> Raw:
    """Spirals around one centre, one for each class, with Gaussian noise, 2 inputs."""
    from mlpjit.kernels.arithmetic.mapping import evaluate
    from mlpjit.kernels.arithmetic.random import normals

    counts = even_counts(samples, classes)
    labels = np.repeat(np.arange(classes), counts)
    radius = np.concatenate([(np.arange(n) + 1.0) / n for n in counts])
    angle = 2.0 * math.pi * (turns * radius + labels / classes)
    draws = normals(data_seed, "data", 2 * samples).reshape(samples, 2)
    points = np.stack([radius * evaluate("cos", angle), radius * evaluate("sin", angle)], axis=1)
    return Raw(points + noise * draws, labels, tuple(map(str, range(classes))))
