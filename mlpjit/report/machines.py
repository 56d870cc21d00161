"""What a reader needs to run a study again: the command, the study as TOML, machine, versions and seeds."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpjit.catalogue.datasets.tables import named_columns
from mlpjit.report.figures.results import Results

STUDIES = Path(__file__).parents[1] / "study" / "studies"
HOST = {
    "host_cpu": "CPU",
    "host_vector_bits": "vector width (bits)",
    "host_threads": "threads",
    "host_system": "system",
    "host_versions": "versions",
    "host_commit": "commit",
}


def rerun(results: Results) -> str:
    """Return the command of the last session; a store that keeps none was made by one named like its study."""
    commands = [session["provenance"].get("command") for session in results.source.sessions()]
    name = str(results.study.get("name", "study"))
    guess = name if (STUDIES / f"{name}.toml").is_file() else f"{name}.toml"
    return next((command for command in reversed(commands) if command), shlex.join(["mlpjit", "run", guess]))


def data(results: Results) -> list[str]:
    """Return what was trained on, a line each, as the last session that keeps it told; none where none does."""
    told: list[list[str]] = [session["provenance"].get("data") or [] for session in results.source.sessions()]
    return next((lines for lines in reversed(told) if lines), [])


def facts(results: Results) -> list[tuple[str, str]]:
    """Return (name, text) pairs: machines and versions of every session, then the seeds of both stages."""
    sessions = results.source.sessions()
    found = []
    for column, name in HOST.items():
        values = dict.fromkeys(_words(session.get(column)) for session in sessions)
        found.append((name, "; ".join(value for value in values if value)))
    found.append(("tuning seeds", spans(results.tuning["seed"])))
    found.append(("fresh seeds", spans(results.final["seed"])))
    return [(name, text) for name, text in found if text]


def _words(value: Any) -> str:
    """Text as it is; a JSON object as "name version, name version"."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return "" if value is None else str(value)


def spans(numbers: Iterable[Any]) -> str:
    """Write whole numbers briefly: 0-3, 7, 100-109."""
    texts: list[list[int]] = []
    for number in sorted({int(number) for number in numbers}):
        if texts and number == texts[-1][-1] + 1:
            texts[-1] = [texts[-1][0], number]
        else:
            texts.append([number])
    return ", ".join("-".join(map(str, span)) for span in texts)


def toml(study: Mapping[str, Any]) -> str:
    """Write a canonical study as a study file: what all blocks share on top, then one [[sweep]] a block."""
    blocks = study.get("blocks", [])
    shared = {
        key: value
        for key, value in (blocks[0]["fixed"] if blocks else {}).items()
        if all(key in block["fixed"] and block["fixed"][key] == value for block in blocks)
    }
    head = {key: study[key] for key in ("name", "title", "question") if key in study}
    head |= {"use": list(study["use"])} if study.get("use") else {}
    parts = [_table("", head | shared)]
    for block in blocks:
        # Inside a sweep a list is an axis, so a fixed list becomes an axis of one value.
        own = {
            key: [value] if isinstance(value, (list, tuple)) else value
            for key, value in block["fixed"].items()
            if key not in shared
        }
        if own or block["axes"]:
            drawn = {"draws": block["draws"]} if "draws" in block else {}
            parts.append(_table("[[sweep]]", own | block["axes"] | drawn))
    parts += [_table(f"[{name}]", table) for name, table in _stages(study).items() if table]
    return "\n\n".join(parts) + "\n"


def _stages(study: Mapping[str, Any]) -> dict[str, Any]:
    """The tables behind the sweeps; of tuning what differs from doing it once."""
    tuning = study.get("tuning") or {}
    usual = {"repeats": 1, "default": False, "race": False}
    told = {key: tuning[key] for key, value in usual.items() if tuning.get(key, value) != value}
    return {"tuning": told, **{name: study.get(name) for name in ("final", "timing")}}


def _table(head: str, entries: Mapping[str, Any]) -> str:
    lines = [head] if head else []
    lines += [f"{key} = {_value(value)}" for key, value in entries.items() if value not in (None, "")]
    return "\n".join(lines)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(text: str) -> str:
    """A basic string: TOML escapes as JSON does, and the delete character too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _columns(key: str, entry: Any) -> Any:
    """Return columns of a table as the list that they were given as; a run's own record holds them as JSON."""
    return list(named_columns(entry)) if key in ("drop", "categorical") else entry


def _value(value: Any) -> str:
    """A value; nothing, which TOML has no word for, is "none" among others and left out of a table."""
    if value is None:
        return '"none"'
    if isinstance(value, Mapping):
        given = [(key, _columns(key, entry)) for key, entry in value.items() if entry is not None]
        entries = sorted(given, key=lambda item: item[0] != "name")  # the name first
        return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in entries) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else repr(value)
