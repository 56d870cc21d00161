"""The compile cache on disk: one checked folder for each kernel, published whole or not at all.

Numba's own cache does not notice an edit in another module, an interrupted write, a changed option or two
writers. Here the path of a kernel's folder carries a hash of all of that, the folder is written aside and
renamed into place with a checksum of every file, and whatever fails its check is dropped and compiled again.
A folder holds an object that needs no Numba (`objects`), or what Numba's cache wrote.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from mlpjit.errors import StoreError
from mlpjit.files import replacing

CHECKSUMS = "checksums.json"
GENERATION = re.compile("[0-9a-f]{24}")
LEFT_SECONDS, UNUSED_SECONDS = 24 * 3600.0, 30 * 24 * 3600.0


class FolderLocator:
    """Numba's cache locator (NUMBA_CACHE_LOCATOR_CLASSES) for functions that carry `cache_folder`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> FolderLocator | None:
        """Return a locator when the function is one of ours."""
        folder = getattr(py_func, "cache_folder", None)
        return cls(folder) if folder else None

    def ensure_cache_path(self) -> None:
        """Make the folder."""
        os.makedirs(self._folder, exist_ok=True)

    def get_cache_path(self) -> str:
        """Return the folder."""
        return self._folder

    def get_source_stamp(self) -> str:
        """Return a constant: the folder's own path stands for the source."""
        return "mlpjit"

    def get_disambiguator(self) -> str:
        """Return a constant: a folder holds one function."""
        return "1"


LOCATOR = f"{__name__}.{FolderLocator.__name__}"


def default_root() -> Path:
    """Return the folder of the cache: MLPJIT_CACHE_DIR, or the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("MLPJIT_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("mlpjit")) / "kernels"


def _ours(folder: Path) -> bool:
    """Say whether only this user can write there: what is loaded from the cache is executed."""
    status = folder.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


@cache
def root() -> Path:
    """Return a private, writable folder for compiled kernels; a temporary one where there is no other."""
    folder = default_root()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _ours(folder):
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    except OSError:
        pass
    temporary = Path(tempfile.mkdtemp(prefix="mlpjit-kernels-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def has_generations() -> bool:
    """Say whether anything was ever compiled into this cache."""
    return any(GENERATION.fullmatch(entry.name) for entry in _entries(root()))


def remembered(key: str, make: Callable[[], str]) -> str:
    """Return make(), a text that depends on the key alone: from the cache if it is kept there."""
    kept = root() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.sha256"
    try:
        check, found = kept.read_text(encoding="utf-8").split("\n", 1)
        if check == _check(key, found):
            return found
    except (OSError, ValueError):
        pass
    made = make()
    with suppress(StoreError), replacing(kept) as written:
        written.write_bytes(f"{_check(key, made)}\n{made}".encode())
    return made


def _check(key: str, text: str) -> str:
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()


def _digest(name: str, folder: Path, data: bytes) -> str:
    """Return the digest of a file and of the place it is for: an intact folder in the place of another is none."""
    place = f"{folder.parent.name}/{folder.name}/{name}\n"
    return hashlib.sha256(place.encode() + data).hexdigest()


def contents(folder: Path) -> dict[str, bytes] | None:
    """Return the files of a folder by their names; none where it is not there, None where one is damaged."""
    found = _contents(folder)
    return _contents(folder) if found is None else found  # it may have been published while it was looked at


def _contents(folder: Path) -> dict[str, bytes] | None:
    try:
        sums = json.loads((folder / CHECKSUMS).read_text()).items()
        found = {name: (folder / name).read_bytes() for name, _ in sums}
        return found if found and all(_digest(name, folder, found[name]) == digest for name, digest in sums) else None
    except FileNotFoundError:
        return None if folder.exists() else {}
    except (OSError, ValueError, AttributeError):
        return None


def intact(folder: Path) -> bool:
    """Say whether a folder holds exactly the bytes that were published here."""
    return bool(contents(folder))


def drop(folder: Path) -> None:
    """Remove a folder that failed its check, out of the way first so that no reader sees half of it."""
    aside = folder.with_name(f".dropped-{uuid.uuid4().hex}")
    try:
        folder.rename(aside)
    except OSError:
        return
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Yield a fresh folder beside a kernel's to write into, and publish it; where that fails it goes.

    What has long been left over goes too.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(folder.parent)
    written = Path(tempfile.mkdtemp(prefix=f".writing-{folder.name}-", dir=folder.parent))
    try:
        yield written
        _publish(written, folder)
    finally:
        if written.exists():
            shutil.rmtree(written, ignore_errors=True)


def _publish(written: Path, folder: Path) -> None:
    """Move a written folder into place with its checksums; whoever comes second keeps the first one's."""
    sums = {path.name: _digest(path.name, folder, path.read_bytes()) for path in sorted(written.iterdir())}
    (written / CHECKSUMS).write_text(json.dumps(sums))
    with suppress(OSError):
        written.rename(folder)


@cache
def sweep(generation: Path) -> None:
    """Remove what interrupted compilations left a day ago, and generations (other sources, CPUs) unused for 30 days.

    A generation's date says when a process last used it (`touch`). A process that has
    loaded a kernel keeps it, and one that finds none compiles it: removing never breaks a run.
    """
    for other in _entries(generation.parent):
        if other != generation and GENERATION.fullmatch(other.name) and _age(other) > UNUSED_SECONDS:
            drop(other)
        elif _left_over(other):
            _remove(other)
    for entry in _entries(generation):
        if _left_over(entry):
            _remove(entry)


def _left_over(path: Path) -> bool:
    return path.name.startswith((".writing-", ".dropped-", ".claim-")) and _age(path) > LEFT_SECONDS


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _age(folder: Path) -> float:
    """Return the seconds since a folder was changed or touched; 0 where it is gone."""
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0


@cache
def touch(generation: Path) -> None:
    """Note that a generation is in use, once a process."""
    with suppress(OSError):
        os.utime(generation)
