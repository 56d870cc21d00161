"""`mlpjit list [KIND]`: what there is, with parameters, defaults, formula and reference."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

KINDS = (
    "optimizers", "wrappers", "activations", "initializers", "schedules", "losses", "normalizations", "residuals",
    "clippings",
    "datasets", "spaces", "studies",
)  # fmt: skip


def list_records(
    kind: Annotated[str | None, typer.Argument(help=", ".join(KINDS) + "; all names without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """List what there is of a kind (optimizers, losses, datasets, ...): parameters, defaults, formula, reference."""
    from mlpjit.cli.tables import dump, table
    from mlpjit.errors import ConfigError
    from mlpjit.registry import suggestion

    if kind is not None and kind not in KINDS:
        raise ConfigError(f"unknown kind {kind!r}{suggestion(kind, KINDS)}")
    if markdown:
        print(_page(kind))
    elif kind is None:
        names = {each: [record["name"] for record in records(each)] for each in KINDS}
        print(dump(names) if as_json else table(("kind", "names"), [(k, ", ".join(n)) for k, n in names.items()]))
    elif as_json:
        print(dump(records(kind)))
    else:
        print(_table(kind))


def _page(kind: str | None) -> str:
    from mlpjit.cli.markdown import catalogue, page

    return catalogue({each: records(each) for each in KINDS}) if kind is None else page(kind, records(kind))


def _table(kind: str) -> str:
    from mlpjit.cli.tables import parameters, table

    found = records(kind)
    if kind == "studies":
        return table(("name", "question"), [(r["name"], r["summary"]) for r in found])
    if kind == "spaces":
        return table(("space", "tunes", "source"), [_space(r) for r in found])
    rows = [[r["name"], parameters(r["defaults"]), r["formula"] or r["summary"], r["citation"]] for r in found]
    header = ["name", "defaults", "formula", "reference"]
    if kind == "optimizers":
        header[1:1] = ["kind", "state", "extra gradients"]
        for row, record in zip(rows, found, strict=True):
            row[1:1] = [record["kind"], str(len(record["state"])), str(record["extra_gradients"])]
    return table(header, rows)


def records(kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind as plain data; of an optimizer also its loop, its state and what it asks for."""
    if kind in ("studies", "spaces"):
        return _studies() if kind == "studies" else _spaces()
    from mlpjit.catalogue.specs import registry

    return [_plain(record, kind) for record in registry(kind).records()]


def _plain(record: Any, kind: str) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in ("name", "summary", "formula", "citation")}
    function = getattr(record, "function", None)
    found |= {"description": inspect.getdoc(function) or record.summary, "defaults": dict(record.defaults)}
    if kind == "optimizers":
        from mlpjit.tuning.spaces import default_rate, spaces_of

        found |= {name: getattr(record, name) for name in ("kind", "extra_gradients", "initial")}
        found |= {"learning_rate": default_rate(record.name), "spaces": list(spaces_of(record.name))}
        found["state"] = list(record.state)
    return found


def _spaces() -> list[dict[str, Any]]:
    from mlpjit.catalogue.registries import optimizers
    from mlpjit.tuning.spaces import spaces_of

    return [
        {"name": f"{name} {space.name}", "optimizer": name, "space": space.name, "content": dict(space.content),
         "summary": space.source}
        for name in optimizers for space in spaces_of(name).values()
    ]  # fmt: skip


def _space(record: dict[str, Any]) -> tuple[str, str, str]:
    from mlpjit.cli.markdown import tuned

    return record["name"], tuned(record["content"]), record["summary"]


def _studies() -> list[dict[str, Any]]:
    import tomllib
    from pathlib import Path

    import mlpjit

    folder = Path(mlpjit.__file__).parent / "study" / "studies"
    tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}
    return [
        {"name": name, "title": found.get("title", ""), "summary": found.get("question", "")}
        for name, found in tables.items()
    ]
