"""The catalogue as Markdown: docs/catalogue.md is `mlpjit list --markdown`, docs/optimizers.md that of optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
COLUMNS = {
    "name": lambda record: f"`{record['name']}`",
    "kind": lambda record: record["kind"],
    "formula": lambda record: record["formula"] or record["summary"],
    "defaults": lambda record: ", ".join(f"{name} = {value}" for name, value in record["defaults"].items()),
    "state per parameter": lambda record: str(len(record["state"])),
    "extra gradients per step": lambda record: str(record["extra_gradients"]),
    "reference": lambda record: record["citation"],
}
OWN_COLUMNS = ("kind", "state per parameter", "extra gradients per step")


def catalogue(kinds: Mapping[str, Sequence[Record]]) -> str:
    """Return one page with a table for every kind."""
    parts = ["# Catalogue", "Written by `mlpjit list --markdown`."]
    for kind, records in kinds.items():
        parts += [f"## {kind.capitalize()}", _table(records)]
    return "\n\n".join(parts)


def page(kind: str, records: Sequence[Record]) -> str:
    """Return the page of one kind: a table, and each entry's own words where it has more than a line of them."""
    parts = [f"# {kind.capitalize()}", f"Written by `mlpjit list {kind} --markdown`.", _table(records)]
    for record in _by_name(records):
        parts += [f"## {record['name']}", _escaped(record.get("description", record["summary"]))]
        if record.get("state"):
            parts.append(f"State: {', '.join(_started(record, name) for name in record['state'])}.")
    return "\n\n".join(parts)


def _by_name(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: str(record["name"]))


def _started(record: Record, name: str) -> str:
    start = record["initial"].get(name, 0)
    return f"{name} (from {'theta' if start == 'params' else start})"


def _table(records: Iterable[Record]) -> str:
    shown = _by_name(records)
    if all("title" in record for record in shown):
        return _rows(["name", "question"], [[f"`{r['name']}`", r["summary"]] for r in shown])
    if all("content" in record for record in shown):
        cells = [[f"`{r['optimizer']}`", f"`{r['space']}`", tuned(r["content"]), r["summary"]] for r in shown]
        return _rows(["optimizer", "space", "tunes", "source"], cells)
    names = [name for name in COLUMNS if name not in OWN_COLUMNS or all("state" in record for record in shown)]
    return _rows(names, [[COLUMNS[name](record) for name in names] for record in shown])


def tuned(content: Mapping[str, Any]) -> str:
    """Return in words what a space tunes: learning_rate 1e-05 to 0.1 (log), b1 0.8, 0.9."""
    return "; ".join(f"{name} {_entry(entry)}" for name, entry in content.items())


def _entry(entry: Any) -> str:
    if isinstance(entry, Mapping):
        ((scale, (low, high)),) = entry.items()
        return f"{low:g} to {high:g} ({scale})"
    return ", ".join(f"{value:g}" for value in entry)


def _rows(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_escaped(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return text whose stars and underscores are not taken for emphasis."""
    return text if text.startswith("`") else text.replace("*", "\\*").replace("_", "\\_")
