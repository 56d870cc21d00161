"""The table of proofs, docs/proofs.md: for every entry who computed the same, at which settings, how close ours comes.

`PYTHONPATH=tests:. python -m goldens.proofs` writes it from the golden files; a test keeps it current.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from goldens.ours import OURS
from goldens.records import Golden, difference, load

from mlpjit.catalogue.specs import registry

PAGE = Path(__file__).parents[2] / "docs" / "proofs.md"
HEAD = """# Proofs

Every entry below equals an implementation that nobody here wrote, but for those without a version number, which
nobody else has: beside them stands what they were derived from and checked against. A case is one setting of an
entry, computed by the oracle named beside it and stored in `tests/goldens/`; the difference is the largest one
between ours and the oracle's, over max(1, largest value of the oracle's). `pytest tests/test_goldens.py` compares
them all; `pytest -m peers` computes the oracles' side again, with `pip install -e ".[test,peers,oracles]"`. This page
is written by `PYTHONPATH=tests:. python -m goldens.proofs`.
"""
COLUMNS = ("entry", "oracle", "version", "settings", "cases", "largest difference")
GENERATED = "(`tests/catalogue/datasets/test_generated.py`)"
PACKAGES = "(`tests/catalogue/datasets/test_embedded_packages.py`)"
# Entries that no outside code has: the derivation and the two independent checks, by kind and name.
DERIVED: dict[str, dict[str, str]] = {
    "optimizers": {
        "kfac": "with drawn labels, which only runs have: a run's step from labels drawn by hand in NumPy; their "
        "frequencies are the predicted ones; the dense inverse of A kron S; the exact Fisher of one sample "
        "(`tests/kernels/optimizers/test_curvature_optimizers.py`)",
    },
    "penalties": {"l2": "scikit-learn's alpha: whole loss curves of its MLPClassifier (`tests/facts/test_sklearn.py`)"},
    "initializers": {
        "truncated_normal": "scipy.stats.truncnorm (law, KS test); the normal draws where they lie within the cut "
        "(`tests/catalogue/test_initializers.py`)",
        "mean_field": "edge of chaos by quadrature in NumPy; measured on sampled networks "
        "(`tests/facts/test_signal_propagation.py`, A4 and A5)",
    },
    "datasets": {
        "spirals": f"the formula in NumPy; noise by a KS test {GENERATED}",
        "xor": f"the truth table; noise by a KS test {GENERATED}",
        "parity": f"the formula in NumPy; all patterns as often, by a chi-squared test {GENERATED}",
        "clusters": f"scipy.stats.norm for noise and centres, KS tests; as many centres as classes {GENERATED}",
        "teacher_student": f"the network in NumPy; a loss of 0 at the teacher after scaling {GENERATED}",
        "linear_regression": f"eigenvalues by numpy.linalg.eigvalsh; the noise left by numpy.linalg.lstsq {GENERATED}",
        "deep_linear": f"singular values by numpy.linalg.svd; whiteness X^T X / n = 1 {GENERATED}",
        "modular_addition": f"the sum of the decoded one-hot rows; every pair once {GENERATED}",
        "mnist_1d": "each curve again by scipy.ndimage.gaussian_filter and numpy.interp; as hard for a line and for "
        f"a network as published {GENERATED}",
        **dict.fromkeys(
            ("image_segmentation", "letters", "spambase", "vehicle", "vowel"),
            f"the source's counts of classes; sklearn.linear_model.LogisticRegression on the same split {PACKAGES}",
        ),
        **dict.fromkeys(
            ("pendigits", "satellite"),
            f"the source's counts of classes; sklearn.neighbors.KNeighborsClassifier as good as published {PACKAGES}",
        ),
        "mnist_5000": f"500 of each class; sklearn.linear_model.LogisticRegression on the same split {PACKAGES}",
        "concrete": f"sklearn.linear_model.LinearRegression on the same split {PACKAGES}",
        "tecator": f"the source's sizes; R^2 above 0.9, as published for small networks {PACKAGES}",
    },
}


# What is no registry: fields of a run.
FIELDS = {"penalties": ("l1", "l2")}


def entries(kind: str) -> list[str]:
    """Return what must be proven of a kind, by name: not what a caller gave in memory."""
    return sorted(name for name in FIELDS.get(kind) or registry(kind) if not name.startswith("memory:"))


@cache
def measured(kind: str) -> tuple[tuple[Golden, float], ...]:
    """Return every case of a kind with the difference of ours from it."""
    cases, shared = load(kind)
    return tuple((case, difference(OURS[kind](case, shared), case.arrays)) for case in cases)


def rows(kind: str) -> list[tuple[str, ...]]:
    """Return the table of one kind: a row for each entry and oracle, by name."""
    found: list[tuple[str, ...]] = []
    for entry in entries(kind):
        groups: dict[tuple[str, str], list[tuple[Golden, float]]] = {}
        for case, gap in measured(kind):
            if case.entry == entry:
                groups.setdefault((case.oracle.partition("(")[0], case.version), []).append((case, gap))
        for (oracle, version), group in groups.items():
            worst = max(gap for _, gap in group)
            found.append((entry, oracle, version, _settings(group), str(len(group)), f"{worst:.1e}"))
        if entry in DERIVED.get(kind, {}):
            found.append((entry, DERIVED[kind][entry], "", "", "", ""))
    return found


def _settings(group: Iterable[tuple[Golden, float]]) -> str:
    """Return each parameter with the values it was given in these cases, and the cases' notes."""
    values: dict[str, list[str]] = {}
    for case, _ in group:
        for name, value in case.settings.items():
            values.setdefault(name, []).append(str(value))
    shown = [f"{name} {' / '.join(dict.fromkeys(given))}" for name, given in values.items()]
    return "; ".join([", ".join(shown) or "defaults", *dict.fromkeys(case.note for case, _ in group if case.note)])


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for kind in OURS:
        parts.append(f"\n## {kind.capitalize()}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n")
        parts += [f"| {' | '.join(row)} |\n" for row in rows(kind)]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
