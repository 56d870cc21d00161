"""MNIST-1D: curves in the shape of the ten digits, moved, stretched, sheared and noisy, 40 points each.

Made as Greydanus describes it, by our own random numbers: what a linear model can hardly tell apart (about a third is
right) a small network learns to two thirds, and one that is blind to place to nearly all. His data are standardized by
one mean and deviation; here each input is, by the training part.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mlpjit.catalogue.datasets.records import STANDARDIZE, Floats, Raw, Shape, check_sampling, dataset, even_counts

# The heights of each digit's curve at twelve points: table of Greydanus's published templates.
TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
CLASSES, LENGTH = len(TEMPLATES), len(TEMPLATES[0])
LEAST_PADDING, MOST_PADDING, MOST_SHIFT = 36, 60, 48
DRAWN, POINTS = LENGTH + MOST_PADDING, 40  # points while a curve is made, and in the end
HEIGHT, STRETCH, SHEAR, SMOOTH_NOISE = 1 / 6, 0.4, 0.75, 0.25
BLUR, REACH = 2.0, 8  # standard deviation of the filter, and where it is cut
CHANCE, SMOOTH, WHITE = range(3)  # places in the random stream


def shape(samples: int, noise: float, data_seed: int) -> Shape:
    """Return the size; DatasetError for parameters out of range."""
    check_sampling("mnist_1d", samples, noise, data_seed)
    return Shape(samples, POINTS, CLASSES, even_counts(samples, CLASSES))


@dataset(
    task="classification",
    scaling=STANDARDIZE,
    shape=shape,
    formula="a digit's curve, padded, stretched, shifted, sheared, amid smooth noise, plus N(0, noise^2), at 40 points",
    citation="Greydanus 2020, arXiv:2011.14439",
)
def mnist_1d(samples: int = 5000, noise: float = 0.02, data_seed: int = 0) -> Raw:
    """Ten digits as curves at places by chance: 40 inputs, hard for a line, easier for a network."""
    from mlpjit.kernels.arithmetic.random import normals, uniforms

    labels = np.repeat(np.arange(CLASSES), even_counts(samples, CLASSES))
    padding, height, shift, shear = uniforms(data_seed, "data", 4 * samples, place=CHANCE).reshape(samples, 4).T
    spread = MOST_PADDING - LEAST_PADDING + 1
    lengths = LENGTH + LEAST_PADDING + np.minimum((padding * spread).astype(np.int64), spread - 1)
    shifts = np.minimum((shift * MOST_SHIFT).astype(np.int64), MOST_SHIFT - 1)
    curves, drawn = _curves(labels, lengths, shifts)
    curves *= (1.0 + STRETCH * (height - 0.5))[:, np.newaxis]
    white = normals(data_seed, "data", samples * DRAWN, place=WHITE).reshape(samples, DRAWN)
    curves = np.where(drawn, curves, _smooth_noise(samples, data_seed)) + noise * white
    curves -= (SHEAR * (shear - 0.5))[:, np.newaxis] * (np.arange(DRAWN) / (DRAWN - 1) - 0.5)
    return Raw(_resampled(curves), labels, tuple(map(str, range(CLASSES))))


def templates() -> Floats:
    """Return the curves (10, 12): mean 0 and deviation 1 before each is moved to begin at 0, then a sixth of that."""
    rows = []
    for heights in TEMPLATES:
        mean = math.fsum(heights) / LENGTH
        deviation = math.sqrt(math.fsum((height - mean) ** 2 for height in heights) / LENGTH)
        rows.append([HEIGHT * (height - heights[0]) / deviation for height in heights])
    return np.array(rows)


def _curves(
    labels: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], shifts: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return padded curves stretched to 72 points and shifted in a circle (n, 72), and where the digit is."""
    point = (np.arange(DRAWN) - shifts[:, np.newaxis]) % DRAWN
    place = point * (lengths[:, np.newaxis] - 1) / (DRAWN - 1.0)
    before = np.minimum(place.astype(np.int64), LENGTH)
    padded = np.concatenate([templates(), np.zeros((CLASSES, 2))], axis=1)
    low, high = padded[labels[:, np.newaxis], before], padded[labels[:, np.newaxis], before + 1]
    return low + (place - before) * (high - low), place < LENGTH


def _smooth_noise(samples: int, data_seed: int) -> Floats:
    """Return white noise through a Gaussian filter, mirrored at both ends (n, 72)."""
    from mlpjit.kernels.arithmetic.mapping import evaluate
    from mlpjit.kernels.arithmetic.random import normals

    noise = SMOOTH_NOISE * normals(data_seed, "data", samples * DRAWN, place=SMOOTH).reshape(samples, DRAWN)
    offsets = np.arange(-REACH, REACH + 1)
    weights = evaluate("exp", -0.5 * (offsets / BLUR) ** 2)
    weights /= math.fsum(weights)
    mirrored = np.concatenate([noise[:, REACH - 1 :: -1], noise, noise[:, : -REACH - 1 : -1]], axis=1)
    filtered = np.zeros_like(noise)
    for weight, start in zip(weights.tolist(), range(2 * REACH + 1), strict=True):
        filtered += weight * mirrored[:, start : start + DRAWN]
    return filtered


def _resampled(curves: Floats) -> Floats:
    """Return the curves at 40 points, straight lines between those they have."""
    place = np.arange(POINTS) * (DRAWN - 1) / (POINTS - 1.0)
    before = np.minimum(place.astype(np.int64), DRAWN - 2)
    low, high = curves[:, before], curves[:, before + 1]
    return low + (place - before) * (high - low)
