"""`mlpjit bench --compare REV`: whether the working tree is slower or faster than a git revision."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mlpjit.measure.versions.compare import CaseVerdict, Comparison

VERDICTS = ("slower", "faster")


def compare_with(revision: str, dtype: str, only: str, fail_on: str, out: Path, as_json: bool) -> None:
    """Compare, print the verdict and the cases behind it, and keep them; exit 1 on the verdict that is to fail."""
    from mlpjit.cli.tables import dump
    from mlpjit.errors import ConfigError
    from mlpjit.measure.versions import compare as comparison
    from mlpjit.measure.versions import history
    from mlpjit.measure.versions.revisions import against

    if fail_on and fail_on not in VERDICTS:
        raise ConfigError(f"--fail-on: got {fail_on!r}, takes {' or '.join(VERDICTS)}")
    with against(revision, Path.cwd()) as (before, after):
        found = comparison.compare(before, after, dtype, _tell, only)
    kept = history.keep(found, dtype, only, out)
    print(dump(asdict(found)) if as_json else f"{_text(found)}\n\n{kept}")
    if fail_on and fail_on in found.verdict:
        raise typer.Exit(1)


def _tell(text: str) -> None:
    print(f"measuring {text}", file=sys.stderr, flush=True)


def _text(found: Comparison) -> str:
    from mlpjit.cli.tables import table

    shown = found.decided or found.cases[:5]
    header = ("case", "verdict", "time after / before", "95 % interval", "confidence", "launches")
    sure = f", confidence {_share(found.confidence)}" if found.decided else ""
    lines = [f"{found.after} against {found.before}: {found.verdict}{sure} ({found.measured} cases timed)"]
    lines.append(
        f"a change by {_change(found.seen)} would have been seen in the middle case, by {_change(found.seen_at_most)} "
        "in the noisiest, in four of five comparisons"
    )
    if shown:
        lines += ["", table(header, map(_row, shown), (2, 4, 5))]
    return "\n".join(lines)


def _row(case: CaseVerdict) -> tuple[object, ...]:
    interval = f"{case.low:.3f}-{case.high:.3f}"
    sure = f"sees {_change(case.seen)}" if case.verdict == "no evidence" else _share(case.confidence)
    return case.name, case.verdict, f"{case.ratio:.3f}", interval, sure, case.launches


def _change(ratio: float) -> str:
    """Of a ratio of times, how far it is from 1."""
    return f"{100.0 * (ratio - 1.0):.1f} %"


def _share(confidence: float) -> str:
    return f"{min(confidence, 0.9999):.2%}"
