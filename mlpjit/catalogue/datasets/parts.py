"""How many samples of each class go to training, validation and test: whole numbers, nothing random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlpjit.errors import DatasetError

HELD_OUT_PERCENT = 15  # for validation, and again for test
LEAST_HELD_OUT, MOST_HELD_OUT = 5, 33  # of the smallest class, three samples, one is left for training
MINIMUM_PER_CLASS = 3
MINIMUM_REGRESSION = 10  # the smallest number whose validation and test parts hold two samples: R^2 needs two


@dataclass(frozen=True)
class PartSizes:
    """Samples of each class (regression: of the one group) in each part."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def part_sizes(groups: Sequence[int], percent: int = HELD_OUT_PERCENT) -> PartSizes:
    """Divide groups of samples, 70/15/15 unless another percentage is held out, so that every part holds every group.

    Held out are 2 round(percent of all samples); each group gives its share by largest remainder (ties: the
    earlier group), but at least two. A group that gives an odd number gives the odd one to validation or to
    test in turn.
    """
    samples = sum(groups)
    target = 2 * ((percent * samples + 50) // 100)
    held = [max(2, 2 * percent * n // 100) for n in groups]
    remainders = [2 * percent * n - 100 * h for n, h in zip(groups, held, strict=True)]
    by_remainder = sorted(range(len(groups)), key=lambda group: -remainders[group])
    for group in by_remainder[: max(0, target - sum(held))]:
        held[group] += 1
    validation, test, odd = [], [], 0
    for count in held:
        odd += count % 2
        extra = count % 2 * (odd % 2)
        validation.append(count // 2 + extra)
        test.append(count - count // 2 - extra)
    train = [n - h for n, h in zip(groups, held, strict=True)]
    return PartSizes(tuple(train), tuple(validation), tuple(test))


def check_groups(name: str, counts: Sequence[int], classes: Sequence[str]) -> None:
    """Raise DatasetError where a class, or a regression, is too small for three parts."""
    if not classes:
        if counts[0] < MINIMUM_REGRESSION:
            raise DatasetError(f"{name}: {counts[0]} samples; regression needs at least {MINIMUM_REGRESSION}")
        return
    if len(classes) < 2:
        raise DatasetError(f"{name}: only one class, {classes[0]!r}; classification needs at least two")
    for label, count in zip(classes, counts, strict=True):
        if count < MINIMUM_PER_CLASS:
            raise DatasetError(
                f"{name}: class {label!r} has {count} sample{'s' * (count != 1)}; each class needs at least "
                f"{MINIMUM_PER_CLASS}, one for each of training, validation and test"
            )
