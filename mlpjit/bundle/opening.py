"""A bundle read: every name, size and digest is checked, and its store opened in a temporary folder.

Whoever sent it may have made it by hand: nothing of it is run, and nothing is written where its names say.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from mlpjit.bundle.format import ALLOWED, FORMAT, MANIFEST, MOST_BYTES, MOST_FILES, MOST_OF_MANIFEST, NEEDED, STORE
from mlpjit.errors import StoreError, writing

MADE = "`mlpjit bundle DIR` makes one"
CHUNK = 2**20
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of which no more is unpacked than what is asked for
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


def is_bundle(path: Path) -> bool:
    """Return whether a path is to be read as a bundle: a file that is not a store."""
    return path.is_file() and path.suffix != ".sqlite"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Yield the folder that holds the results: `path` itself, or of a bundle a temporary one with its store.

    Raises StoreError, in one line, for a file that is no bundle, a damaged one, and one of a newer version.
    """
    if not is_bundle(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="mlpjit-bundle-") as folder:
        try:
            _unpack(path, Path(folder))
            yield Path(folder)
        except StoreError as error:
            raise StoreError(str(error).replace(folder, str(path))) from None


def beside(path: Path, file: Path, out: Path | None = None) -> Path:
    """Move what was made in the temporary folder of a bundle to `out`, or beside the bundle, named after both."""
    target = out or path.with_name(f"{path.stem}_{file.name}")
    with writing(target):
        shutil.move(file, target)
    return target


def _unpack(path: Path, folder: Path) -> None:
    """Check all of a bundle and write its store into a folder."""
    try:
        with zipfile.ZipFile(path) as file:
            entries = _entries(path, file)
            files = _manifest(path, file, entries)
            for name in sorted(entries.keys() - {MANIFEST}):
                _copy(path, file, entries[name], files[name], folder / name if name == STORE else None)
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(f"{folder.parent}: no room to unpack {path.name} here: {error.strerror}") from None
        told = str(error) or "it ends too early"
        raise StoreError(f"{path}: not a bundle that can be read ({told}): {MADE}") from None


def _entries(path: Path, file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files by name, all of which a bundle may hold."""
    found = file.infolist()
    names = [entry.filename for entry in found]
    wrong = [name for name in names if not ALLOWED.fullmatch(name)]
    if wrong or len(set(names)) != len(names) or not set(NEEDED) <= set(names):
        what = f"{wrong[0]!a:.80} in it" if wrong else f"no {', '.join(sorted(set(NEEDED) - set(names)))} in it"
        raise StoreError(f"{path}: not a bundle ({what}): {MADE}")
    if other := [entry.filename for entry in found if entry.compress_type not in PACKINGS]:
        raise StoreError(f"{path}: not a bundle ({other[0]!a:.80} is packed in another way): {MADE}")
    size = sum(entry.file_size for entry in found)
    if len(found) > MOST_FILES or size > MOST_BYTES:
        raise StoreError(f"{path}: {len(found):,} files of {size:,} bytes: more than a bundle may hold")
    return {entry.filename: entry for entry in found}


def _manifest(path: Path, file: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    """Return by name the size and the digest that each file must have."""
    if entries[MANIFEST].file_size > MOST_OF_MANIFEST:
        raise StoreError(f"{path}: its {MANIFEST} is too large")
    try:
        with file.open(entries[MANIFEST]) as source:
            found = json.loads(b"".join(_chunks(source, entries[MANIFEST].file_size)))
        version, files = found["format"], found["files"]
        known = {name: (int(each["bytes"]), str(each["sha256"])) for name, each in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StoreError(f"{path}: its {MANIFEST} is not what mlpjit writes") from None
    if version != FORMAT:
        raise StoreError(f"{path}: a bundle of format {version!r:.20}, this one reads {FORMAT}: update mlpjit")
    if differing := sorted(known.keys() ^ (entries.keys() - {MANIFEST})):
        raise StoreError(f"{path}: damaged: {differing[0]!a:.80} is in one of {MANIFEST} and the file alone")
    return known


def _copy(
    path: Path, file: zipfile.ZipFile, entry: zipfile.ZipInfo, known: tuple[int, str], target: Path | None
) -> None:
    """Read a file, no further than it may go, and write it to a target if one is given."""
    digest, size = hashlib.sha256(), 0
    with file.open(entry) as source, target.open("wb") if target else contextlib.nullcontext() as written:
        for chunk in _chunks(source, known[0]):
            digest.update(chunk)
            size += len(chunk)
            if written:
                written.write(chunk)
    if (size, digest.hexdigest()) != known:
        raise StoreError(f"{path}: damaged: {entry.filename} is not as it was bundled")


def _chunks(source: IO[bytes], most: int) -> Iterator[bytes]:
    """Yield what is in a file, at most one byte more than it should have."""
    left = most + 1
    while left > 0 and (chunk := source.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk
