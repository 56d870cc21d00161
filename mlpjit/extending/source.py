"""The text of a user's file and of what it imports from beside it: what a store keeps of what was tried."""

from __future__ import annotations

import ast
import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpjit.extending.files import OwnFile

LARGEST = 2**20  # bytes of a file that was written by hand


def source_of(file: OwnFile) -> dict[str, Any] | None:
    """Return file (its name), sha256, names (of its entries) and texts by path, those from beside it included.

    None where the file is no longer what was read.
    """
    text = _text(file.path)
    if text is None or hashlib.sha256(text.encode()).hexdigest() != file.digest:
        return None
    folder = file.path.resolve().parent
    texts, left = {file.path.name: text}, [*_beside(folder, text)]
    while left:
        path = left.pop()
        if path not in texts and (found := _text(folder / path)) is not None:
            texts[path] = found
            left += _beside(folder, found)
    return {"file": file.path.name, "sha256": file.digest, "names": list(file.names), "texts": texts}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= LARGEST else None
    except (OSError, UnicodeDecodeError):
        return None


def _beside(folder: Path, text: str) -> Iterator[str]:
    """Yield the files beside it that a text imports, of a package all of its files."""
    for name in dict.fromkeys(_imported(text)):
        if (folder / f"{name}.py").is_file():
            yield f"{name}.py"
        elif (folder / name / "__init__.py").is_file():
            yield from sorted(path.relative_to(folder).as_posix() for path in (folder / name).rglob("*.py"))


def _imported(text: str) -> Iterator[str]:
    """Yield the first part of each module that a text imports."""
    with contextlib.suppress(SyntaxError, ValueError):  # of a file beside it that is imported on some path alone
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
