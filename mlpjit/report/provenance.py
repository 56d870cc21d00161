"""What a reader needs to run a study again: the command, the study as TOML, machine, versions and seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlpjit.figures.results import Results

STUDIES = Path(__file__).parents[1] / "studies"
HOST = {
    "host_cpu": "CPU", "host_vector_bits": "vector width (bits)", "host_threads": "threads",
    "host_system": "system", "host_versions": "versions", "host_commit": "commit",
}  # fmt: skip


def rerun(study: Mapping[str, Any]) -> str:
    """Return the command that runs the study again."""
    name = str(study.get("name", "study"))
    return f"mlpjit run {name}" if (STUDIES / f"{name}.toml").is_file() else f"mlpjit run {name}.toml"


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
    """Write a study as TOML: scalars first, then its tables and arrays of tables."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in study.items() if _is_plain(value)]
    for key, value in study.items():
        if _is_plain(value) or value is None:
            continue
        blocks = value if isinstance(value, list) else [value]
        head = f"[[{_key(key)}]]" if isinstance(value, list) else f"[{_key(key)}]"
        for block in blocks:
            lines += ["", head]
            lines += [f"{_key(name)} = {_value(entry)}" for name, entry in block.items() if entry is not None]
    return "\n".join(lines) + "\n"


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return not value or not all(isinstance(entry, Mapping) for entry in value)
    return value is not None and not isinstance(value, Mapping)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
