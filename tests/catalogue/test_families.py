"""What stands in a family's folder is registered by standing there, and nothing else stands there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlpjit
from mlpjit.catalogue.datasets import datasets
from mlpjit.catalogue.registries import REGISTRIES

PACKAGE = Path(mlpjit.__file__).parent
FOLDERS = [path.parent for path in PACKAGE.rglob("__init__.py") if "load_family(__name__" in path.read_text("utf-8")]
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.py") if path.name != "__init__.py")
EXAMPLE = PACKAGE.parent / "docs" / "examples" / "soft_sign.py"


def registering() -> set[str]:
    """The modules whose functions the records of all registries hold."""
    records = [record for registry in REGISTRIES.values() for record in registry.records()]
    return {record.function.__module__ for record in records} | {
        record.make.__module__ for record in datasets.records()
    }


def test_every_family_is_found():
    assert sorted(folder.name for folder in FOLDERS) == [
        "activations", "generated", "initializers", "losses", "normalizations", "optimizers", "residuals", "schedules",
    ]  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_of_a_family_registers_something(path):
    assert ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) in registering()


def test_an_optimizer_that_was_tried_goes_into_the_catalogue_as_it_stands(tmp_path):
    """A copy of the package with the file of `docs/try.md` among its optimizers: it is listed as the others are."""
    shutil.copytree(PACKAGE, tmp_path / "mlpjit", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLE, tmp_path / "mlpjit" / "kernels" / "optimizers")
    code = (
        "from mlpjit.cli import main; import mlpjit, sys; sys.argv = ['mlpjit', 'list', 'optimizers', '--json']\n"
        f"assert mlpjit.__file__.startswith({str(tmp_path)!r})\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"soft_sign"' in done.stdout
