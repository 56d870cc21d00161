"""The verdicts of `mlpjit try` as tables of at most 80 columns."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlpjit.cli.tables import counted, narrowed, number, p_value
from mlpjit.comparison.names import named

if TYPE_CHECKING:
    from mlpjit.comparison.tries import Try

WIDTH = 80
Record = Mapping[str, Any]


def verdict_tables(tries: Iterable[Try]) -> list[str]:
    """Return for each newcomer its tables, one a problem, and what is to be known of them."""
    return [part for one in tries for part in (*_tables(one), _notes(one))]


def _tables(one: Try) -> list[str]:
    return [
        f"{_title(one, problem, records[0]['metric'])}\n{_table(one, records)}"
        for problem, some in itertools.groupby(one.verdicts, lambda record: str(record["problem"]))
        for records in [list(some)]
    ]


def _title(one: Try, problem: str, metric: str) -> str:
    best = ", ".join(named(name, value) for name, value in one.best[problem].items())
    told = f"best setting: {best}" if best else ""
    return "\n".join(textwrap.wrap(f"{one.name} on {problem}: {metric}; {told}", WIDTH))


def _table(one: Try, records: Sequence[Record]) -> str:
    columns = ["against", "effect", "95 % interval", "seeds", "Holm", "settings", "verdict"]
    rows = [_cells(one, record) for record in records]
    return narrowed(columns, rows, ("Holm", "95 % interval"), (1, 3, 5), WIDTH)


def _cells(one: Try, record: Record) -> list[str]:
    mark = "*" if record["control"] in one.uneven else ""
    more = f"not enough +{record['more']}" if record["more"] else record["verdict"]
    ends = f"{number(record['low'])} to {number(record['high'])}"
    return [
        record["control"], number(record["effect"], "+"), ends, str(record["pairs"]), p_value(record["corrected_p"]),
        f"{one.settings[record['control']]}{mark}", more,
    ]  # fmt: skip


def _notes(one: Try) -> str:
    """What the columns mean, and what a reader must beware of."""
    told = [
        f"Positive effects are in favour of {one.name}. Pairs of runs on fresh seeds were added until each verdict was "
        f"certain, {one.cap} seeds at most. Holm at every look over {one.family}. "
        f"{one.name} was tuned over {counted(one.settings[one.name], 'setting')}."
    ]
    told += ["* tuned over another number of settings: more of them are luckier."] if one.uneven else []
    if any(record["more"] for record in one.verdicts):
        told.append("not enough +k: about k more seeds would decide, if the effect is what it seems (--cap).")
    return "\n".join(line for text in told for line in textwrap.wrap(text, WIDTH))
