"""Results as one file: `bundle` reads a folder's store and writes a ZIP file with the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlpjit.bundle.again import commands, read_me, study_of
from mlpjit.bundle.datasets import OwnData, included, own_data, placed
from mlpjit.bundle.format import FORMAT, MANIFEST, OWN, PAGE, READ_ME, RUNS, STORE, STUDY, SUFFIX, TABLES, fitting
from mlpjit.errors import ConfigError, option
from mlpjit.files import replacing
from mlpjit.host import package_versions
from mlpjit.report import write
from mlpjit.report.export import export_runs
from mlpjit.report.machines import HOST, toml
from mlpjit.store import Store
from mlpjit.store.opening import explained
from mlpjit.study.own_sources import sources

FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of every file in it: the same results are the same bytes
PIECE = 2**20
Contents = dict[str, Path | str]


class Bundled(NamedTuple):
    """The file that was written, and what its reader will lack, a line each."""

    path: Path
    told: list[str]


def bundle(directory: Path, out: Path | None = None, with_data: bool = False) -> Bundled:
    """Write what a folder holds as one file, DIR.zip beside it without `out`; the page is made where it is not current.

    Own data are told, and included with `with_data`. Raises StoreError without a store or room, ConfigError for data
    that are to be included and are not what was run, and for a name of another kind of file.
    """
    named = directory.resolve() if directory.name in ("", "..") else directory
    path = out or named.with_name(f"{named.name}.zip")
    if path.suffix.lower() != SUFFIX:
        raise ConfigError(f"{option('out', str(path))}: a bundle is a ZIP file: need a name that ends in {SUFFIX}")
    pages = write(directory)
    with Store.open(directory, readonly=True) as store, tempfile.TemporaryDirectory() as folder:
        data = own_data(store.study()["blocks"], {str(row[0]) for row in store.rows(("data_hash",))})
        contents = _contents(store, Path(folder), pages, data) | (dict(included(data)) if with_data else {})
        manifest = _manifest(store, data, with_data)
        contents[READ_ME] = read_me(manifest)
        contents[MANIFEST] = json.dumps({**manifest, "files": _digests(contents)}, indent=1) + "\n"
        _zip(path, contents)
    return Bundled(path, [] if with_data else _lacking(data))


def _contents(store: Store, folder: Path, pages: list[Path], data: list[OwnData]) -> Contents:
    found: Contents = {PAGE: pages[0], STORE: _copied(store, folder / STORE), RUNS: export_runs(store, folder / RUNS)}
    found |= {f"{TABLES}/{path.name}": path for path in pages if path.suffix == ".csv"}
    study = store.study()
    used = {_used(store, name, digest): digest for name, digest in study.get("use", {}).items()}
    found[STUDY] = toml({**study_of(study, placed(study["blocks"], data)), "use": used})
    for source in sources(store):
        found |= {_place(source, name): text for name, text in source["texts"].items()}
    return found


def _copied(store: Store, path: Path) -> Path:
    """Write a copy without gaps, of which the same store gives the same bytes."""
    with explained(path):
        store.connection.execute("VACUUM INTO ?", [str(path)])
    return path


def _place(source: Mapping[str, Any], name: str) -> str:
    """Each file lies in a folder of its own: two versions of it have one name, and what they import may differ."""
    return f"{OWN}/{source['sha256'][:8]}/{fitting(name)}"


def _used(store: Store, name: str, digest: str) -> str:
    """Return where a file that the study names lies in a bundle; by its name alone where its text is not kept."""
    return next((_place(each, name) for each in sources(store) if each["sha256"] == digest), name)


def _manifest(store: Store, data: list[OwnData], with_data: bool) -> dict[str, Any]:
    study, sessions = store.study(), store.sessions()
    own = [
        {"file": _place(each, each["file"]), "sha256": each["sha256"], "names": each["names"]}
        for each in sources(store)
    ]
    files = {each["file"]: _place(each, each["file"]) for each in sources(store)}
    recorded = [session["provenance"].get("command", "") for session in sessions]
    return {
        "format": FORMAT, "study": study["name"], "runs": len(store.known()), "commands": commands(recorded, files),
        "sessions": [{name: session[name] for name in ("started_at", *HOST)} for session in sessions],
        "bundled_with": package_versions(), "own": own, "data": [each.record(with_data) for each in data],
    }  # fmt: skip


def _digests(contents: Contents) -> dict[str, Any]:
    found = {}
    for name in sorted(contents):
        with _opened(contents[name]) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[name] = {"bytes": file.seek(0, os.SEEK_END), "sha256": digest}
    return found


def _opened(content: Path | str) -> io.BytesIO | io.BufferedReader:
    return io.BytesIO(content.encode()) if isinstance(content, str) else content.open("rb")


def _zip(path: Path, contents: Contents) -> None:
    """Write it whole or not at all, its files piece by piece: a store may be larger than the memory."""
    with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(contents):
            with _opened(contents[name]) as source, file.open(_entry(name, contents[name]), "w") as target:
                shutil.copyfileobj(source, target, PIECE)


def _entry(name: str, content: Path | str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIRST_DATE)
    entry.file_size = content.stat().st_size if isinstance(content, Path) else 0  # a large one takes another form
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    return entry


def _lacking(data: list[OwnData]) -> list[str]:
    """What a reader needs besides, to make the runs again."""
    kept = "not in the bundle, its hash is"
    ends = ["--with-data includes it" if each.is_whole else f"it {each.state}" for each in data]
    return [f"{each.name}: {kept}; {end}" for each, end in zip(data, ends, strict=True)]
