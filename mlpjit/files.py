"""Files that are there whole or not at all: written beside their place under a name of their own, then renamed."""

from __future__ import annotations

import contextlib
import glob
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from mlpjit.errors import writing

PARTIAL, LEFT_SECONDS = ".partial", 3600.0
SHOWN = 50  # characters of a file's name in that of its partial one: a name may have 255 bytes


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name to write a file under, and put it in the file's place when the block ends well.

    Two processes never write under one name, and who reads meets the file as it was or as it is. What a process that
    was killed left here an hour ago goes. Raises StoreError, by the file's own name, where the disk does not take it.
    """
    partial = path.with_name(f".{path.name[:SHOWN]}.{uuid4().hex[:12]}{PARTIAL}")
    with writing(path):
        try:
            yield partial
            os.replace(partial, path)
        except OSError as error:
            if error.filename is not None and Path(error.filename) == partial:
                error.filename = str(path)
            raise
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
            _sweep(path)


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name[:SHOWN])}.*{PARTIAL}"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                left.unlink()
