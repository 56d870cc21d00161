"""`mlpjit list [KIND]`: what there is, with parameters, defaults, formula and reference."""

from __future__ import annotations

from typing import Annotated, Any

import typer

KINDS = (
    "optimizers", "activations", "initializers", "schedules", "losses", "normalizations", "clippings", "datasets",
    "studies",
)  # fmt: skip


def list_records(
    kind: Annotated[str | None, typer.Argument(help=", ".join(KINDS) + "; all names without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List optimizers, activations, initializers, schedules, datasets, studies: parameters, formula, reference."""
    from mlpjit.cli.tables import dump, parameters, table
    from mlpjit.errors import ConfigError
    from mlpjit.registry import suggestion

    if kind is not None and kind not in KINDS:
        raise ConfigError(f"unknown kind {kind!r}{suggestion(kind, KINDS)}")
    if kind is None:
        names = {each: [record["name"] for record in records(each)] for each in KINDS}
        print(dump(names) if as_json else table(("kind", "names"), [(k, ", ".join(n)) for k, n in names.items()]))
        return
    found = records(kind)
    if as_json:
        print(dump(found))
    elif kind == "studies":
        print(table(("name", "question"), [(r["name"], r["summary"]) for r in found]))
    else:
        rows = [(r["name"], parameters(r["defaults"]), r["formula"] or r["summary"], r["citation"]) for r in found]
        print(table(("name", "defaults", "formula", "reference"), rows))


def records(kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind as plain data."""
    if kind == "studies":
        return _studies()
    from mlpjit.specs import registry

    fields = ("name", "summary", "formula", "citation")
    return [
        {**{name: getattr(record, name) for name in fields}, "defaults": dict(record.defaults)}
        for record in registry(kind).records()
    ]


def _studies() -> list[dict[str, Any]]:
    import tomllib
    from pathlib import Path

    import mlpjit

    folder = Path(mlpjit.__file__).parent / "studies"
    tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}
    return [
        {"name": name, "title": found.get("title", ""), "summary": found.get("question", "")}
        for name, found in tables.items()
    ]
