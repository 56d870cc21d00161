"""A revision of a git repository, laid out in a folder of its own, and the working tree it is compared with."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlpjit.errors import ConfigError
from mlpjit.measure.versions.launches import Version

# Where the table of cases stands, and where it stood in older revisions.
CASES = Path("mlpjit/measure/cases/table.py"), Path("mlpjit/measure/cases.py")


@contextmanager
def against(revision: str, folder: Path) -> Iterator[tuple[Version, Version]]:
    """Give the revision, in a temporary folder, and the working tree of the repository that holds `folder`.

    Raises ConfigError where there is no repository, no such revision, or nothing to time in either.
    """
    root = Path(_git(folder, f"{folder}: not in a git repository", "rev-parse", "--show-toplevel").decode().strip())
    commit = _git(root, f"unknown revision {revision!r}", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    short = commit.decode().strip()[:10]
    if not _has_cases(root):
        raise ConfigError(f"{root}: has no table of cases ({CASES[0]}), so there is nothing to time")
    archive = _git(root, f"{revision}: has no package mlpjit", "archive", commit.decode().strip(), "mlpjit")
    with tempfile.TemporaryDirectory(prefix="mlpjit-compare-") as temporary:
        tree = Path(temporary) / short
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(tree, filter="data")
        if not _has_cases(tree):
            raise ConfigError(f"{revision}: has no table of cases yet ({CASES[0]}), so there is nothing to time")
        yield Version(f"{revision} ({short})", tree), Version("working tree", root)


def _has_cases(tree: Path) -> bool:
    return any((tree / path).exists() for path in CASES)


def _git(folder: Path, otherwise: str, *arguments: str) -> bytes:
    """Return what git prints; ConfigError with this line where it fails."""
    try:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise ConfigError("git is not installed, and a revision cannot be had without it") from error
    except subprocess.CalledProcessError as error:
        raise ConfigError(otherwise) from error
