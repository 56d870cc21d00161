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
    """Leave the registries as they were, and everything that is remembered by name."""
    from mlpjit.catalogue.registries import REGISTRIES

    before = {kind: set(registry) for kind, registry in REGISTRIES.items()}
    yield
    for kind, registry in REGISTRIES.items():
        for name in set(registry) - before[kind]:
            registry.remove(name)
