"""`mlpjit bench --compare REV`: whether the working tree is slower or faster than a git revision."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlpjit.measure.versions.compare import CaseVerdict, Comparison


def compare_with(revision: str, dtype: str, as_json: bool) -> None:
    """Compare, print the verdict and the cases behind it."""
    from mlpjit.cli.tables import dump
    from mlpjit.measure.versions import compare as comparison
    from mlpjit.measure.versions.revisions import against

    with against(revision, Path.cwd()) as (before, after):
        found = comparison.compare(before, after, dtype, _tell)
    print(dump(asdict(found)) if as_json else _text(found))


def _tell(text: str) -> None:
    print(f"measuring {text}", file=sys.stderr, flush=True)


def _text(found: Comparison) -> str:
    from mlpjit.cli.tables import table

    shown = found.decided or found.cases[:5]
    header = ("case", "verdict", "time after / before", "95 % interval", "confidence", "launches")
    sure = f", confidence {_share(found.confidence)}" if found.decided else ""
    lines = [f"{found.after} against {found.before}: {found.verdict}{sure} ({found.measured} cases timed)"]
    if shown:
        lines += ["", table(header, map(_row, shown), (2, 4, 5))]
    return "\n".join(lines)


def _row(case: CaseVerdict) -> tuple[object, ...]:
    interval = f"{case.low:.3f}-{case.high:.3f}"
    sure = "-" if case.verdict == "no evidence" else _share(case.confidence)
    return case.name, case.verdict, f"{case.ratio:.3f}", interval, sure, case.launches


def _share(confidence: float) -> str:
    return f"{min(confidence, 0.9999):.2%}"
