"""One compile cache for the whole test run, apart from the user's own; registries left as they were."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Kept between runs of the tests: the cache's own hash notices every edit. Set before mlpjit is imported.
os.environ.setdefault("MLPJIT_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"mlpjit-tests-{os.getuid()}"))


@pytest.fixture
def own_records_are_forgotten() -> Iterator[None]:
    """Leave the registry of optimizers as it was, and everything that is remembered by name."""
    from mlpjit.catalogue.registries import optimizers

    before = set(optimizers)
    yield
    for name in set(optimizers) - before:
        optimizers.remove(name)
