"""`mlpjit list [WHAT]`: what there is of a kind, or all about one name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

KINDS = (
    "optimizers", "wrappers", "activations", "initializers", "schedules", "losses", "normalizations", "residuals",
    "clippings",
    "datasets", "spaces", "studies",
)  # fmt: skip
FIGURES = "figures"  # named alone: importing them takes a second
UNPROVEN = ("datasets", "studies", "spaces", FIGURES)
SINGULAR = {"losses": "loss", "studies": "study"}


def list_records(
    what: Annotated[str | None, typer.Argument(help="A kind (optimizers, losses, ...) or a name (adam).")] = None,
    name: Annotated[str | None, typer.Argument(help="A name of that kind.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
) -> None:
    """List what there is of a kind, or tell all about one name."""
    kind = plural(what)
    if markdown:
        print(_page(kind, what))
    elif what is None:
        _list_names(as_json)
    elif kind and name is None:
        _list_kind(kind, as_json)
    elif name is not None and kind is None:
        raise _unknown_kind(what)
    else:
        _tell(kind, name or what, as_json)


def plural(what: str | None) -> str | None:
    """Return the kind that a word means, singular or plural; None where it means none."""
    if what in (*KINDS, FIGURES):
        return what
    return next((kind for kind in (*KINDS, FIGURES) if what == singular(kind)), None)


def singular(kind: str) -> str:
    """Return what one of a kind is called."""
    return SINGULAR.get(kind, kind.removesuffix("s"))


def _page(kind: str | None, what: str | None) -> str:
    from mlpjit.cli.markdown import catalogue, page

    if what is not None and kind is None:
        raise _unknown_kind(what)
    return catalogue({each: records(each) for each in KINDS}) if kind is None else page(kind, records(kind))


def _unknown_kind(what: str) -> Exception:
    from mlpjit.errors import ConfigError
    from mlpjit.registry import suggestion

    return ConfigError(f"unknown kind {what!r}{suggestion(what, (*KINDS, FIGURES))}")


def _list_names(as_json: bool) -> None:
    from mlpjit.cli.tables import dump, wrapped

    names = {kind: list(dict.fromkeys(r.get("space", r["name"]) for r in records(kind))) for kind in KINDS}
    if as_json:
        print(dump(names))
        return
    print("\n".join(wrapped(f"{kind} ({len(found)})", ", ".join(found)) for kind, found in names.items()))
    print("\nAll about one: mlpjit list NAME, as `mlpjit list adam`.")


def _list_kind(kind: str, as_json: bool) -> None:
    from mlpjit.cli.tables import dump, fitted

    found = records(kind)
    if as_json:
        print(dump(found))
        return
    if kind == "spaces":
        print(fitted(("space", "tunes", "source"), [(r["name"], r["formula"], r["summary"]) for r in found]))
        return
    header = ["name", "question" if kind in ("studies", FIGURES) else "formula"]
    rows = [[record["name"], record["formula"] or record["summary"]] for record in found]
    if kind == "optimizers":
        header[1:1] = ["kind", "state"]
        for row, record in zip(rows, found, strict=True):
            row[1:1] = [record["kind"], str(len(record["state"]))]
    print(fitted(header, rows))


def _tell(kind: str | None, name: str, as_json: bool) -> None:
    """Print all about a name, of a kind or of every kind that has it."""
    from mlpjit.cli.tables import dump

    found = [
        (each, record)
        for each in ((kind,) if kind else KINDS) for record in records(each) if record["name"] == name
    ]  # fmt: skip
    if not found:
        raise _unknown_name(kind, name)
    if as_json:
        print(dump([{"of": each, **record} for each, record in found]))
        return
    print("\n\n".join(_study_file(name) if each == "studies" else _about(each, record) for each, record in found))


def _unknown_name(kind: str | None, name: str) -> Exception:
    from mlpjit.errors import ConfigError
    from mlpjit.registry import suggestion

    names = [record["name"] for each in ((kind,) if kind else KINDS) for record in records(each)]
    near = suggestion(name, names if kind else [*KINDS, *dict.fromkeys(names)])
    if "known:" in near and kind is None:
        near = " (known: the names that `mlpjit list` prints)"
    return ConfigError(f"unknown {singular(kind) if kind else 'kind or name'} {name!r}{near}")


def _study_file(name: str) -> str:
    """Return the file of a built-in study: a template for one's own."""
    return _studies_folder().joinpath(f"{name}.toml").read_text(encoding="utf-8").rstrip()


def _about(kind: str, record: dict[str, Any]) -> str:
    """Return all about one record, a line for each of its sides."""
    from mlpjit.cli.tables import broken, wrapped

    state = [_started(record, name) for name in record.get("state", ())]
    sides = {
        "formula": record["formula"],
        "parameters": ", ".join(f"{name} = {value}" for name, value in record["defaults"].items()) or "none",
        "kind": record.get("kind"),
        "state": (", ".join(state) or "none") if "state" in record else None,
        "asks for": _extra(record.get("extra_gradients", 0)),
        "reference": None if record["citation"] == "-" else record["citation"],
        "proof": None
        if kind in ("datasets", "studies", "spaces", FIGURES)
        else f"docs/proofs.md, {kind}: {record['name']}",
    }
    lines = [wrapped(side, text) for side, text in sides.items() if text]
    return "\n".join([f"{record['name']}, {_article(singular(kind))}", "", broken(record["description"]), "", *lines])


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _started(record: dict[str, Any], name: str) -> str:
    start = record["initial"].get(name, 0)
    return f"{name} (from {'theta' if start == 'params' else start})"


def _extra(count: int) -> str | None:
    from mlpjit.cli.tables import counted

    return f"{counted(count, 'gradient')} more a step" if count else None


def records(kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind as plain data; of an optimizer also its loop, its state and what it asks for.

    Data in the memory of this process have no name that a study file could use: they are left out.
    """
    if kind in ("studies", "spaces"):
        return _studies() if kind == "studies" else _spaces()
    if kind == FIGURES:
        return _figures()
    from mlpjit.catalogue.specs import registry
    from mlpjit.config.memory import in_memory

    return [_plain(record, kind) for record in registry(kind).records() if not in_memory(record.name)]


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


def _figures() -> list[dict[str, Any]]:
    """The figures of the page, in its order; which of them a study has data for it says itself."""
    from mlpjit.report.figures import figures

    told = {"formula": "", "citation": "-", "defaults": {}}
    return [{"name": r.name, "summary": r.title, "description": r.caption, **told} for r in figures()]


def _spaces() -> list[dict[str, Any]]:
    from mlpjit.catalogue.registries import optimizers
    from mlpjit.cli.markdown import tuned
    from mlpjit.tuning.spaces import spaces_of

    return [
        {"name": f"{name} {space.name}", "optimizer": name, "space": space.name, "content": dict(space.content),
         "summary": space.source, "formula": tuned(space.content), "description": f"A search space of {name}.",
         "defaults": {}, "citation": space.source}
        for name in optimizers for space in spaces_of(name).values()
    ]  # fmt: skip


def _studies_folder() -> Path:
    import mlpjit

    return Path(mlpjit.__file__).parent / "study" / "studies"


def _studies() -> list[dict[str, Any]]:
    import tomllib

    tables = {path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
              for path in sorted(_studies_folder().glob("*.toml"))}  # fmt: skip
    return [
        {"name": name, "title": found.get("title", ""), "summary": found.get("question", ""), "formula": ""}
        for name, found in tables.items()
    ]
