"""One compile cache for the whole test run, apart from the user's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Kept between runs of the tests: the cache's own hash notices every edit. Set before mlpjit is imported.
os.environ.setdefault("MLPJIT_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"mlpjit-tests-{os.getuid()}"))
