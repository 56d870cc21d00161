"""How many samples a score is taken over, and so how coarse it is."""

from __future__ import annotations

from mlpjit.errors import MlpjitError
from mlpjit.report.figures.results import Results


def test_size(results: Results, part: str) -> str:
    """Return "270 test samples: one is 0.37 points" for an accuracy; empty for other scores and unknown data."""
    if results.score_name != "accuracy" or not (count := test_samples(results, part)):
        return ""
    return f"Accuracies are over {count:,} {part} samples: one of them is {100 / count:.2g} points."


def test_samples(results: Results, part: str) -> int:
    """Return the size of a part; 0 for data that are not there any more, or that take parameters."""
    from mlpjit.catalogue.datasets.loading import describe

    try:
        found = describe(str(results.runs["dataset"].iloc[0]))
    except MlpjitError:
        return 0
    return found.test_samples if part == "test" else found.validation_samples


def guessing(results: Results) -> float:
    """Return the score of who does not look at the inputs: the largest class, the mean (R² of 0)."""
    from mlpjit.catalogue.datasets.loading import describe

    if results.score_name != "accuracy":
        return 0.0
    try:
        found = describe(str(results.runs["dataset"].iloc[0]))
    except MlpjitError:
        return 0.0
    counts = [count for _, count in found.classes]
    return max(counts) / sum(counts) if counts else 0.0
