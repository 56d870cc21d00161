"""What a bundle is: a ZIP file of these names, and the bounds that a reader holds it to."""

from __future__ import annotations

import re

FORMAT, SUFFIX = 1, ".zip"
MANIFEST, READ_ME, STUDY, PAGE, RUNS, STORE = (
    "bundle.json", "README.txt", "study.toml", "report.html", "runs.csv", "store.sqlite",
)  # fmt: skip
OWN, DATA, TABLES = "own", "data", "tables"
NEEDED = (MANIFEST, STUDY, STORE)
MOST_FILES = 10_000
MOST_BYTES = 2**36  # of all that is in it
MOST_OF_MANIFEST = 2**24
PART = r"[^/\\\0:]*[^/\\\0:. ]"  # of a path: no ".." and no drive
ALLOWED = re.compile(rf"{MANIFEST}|{READ_ME}|{STUDY}|{PAGE}|{RUNS}|{STORE}|(?:{OWN}|{DATA}|{TABLES})(?:/{PART})+")
UNFIT = re.compile(r"[\\\0:]|[. ](?=/|\Z)")


def fitting(path: str) -> str:
    """Return a path as a bundle may hold it: what a file may be called here and not there is an underscore."""
    return UNFIT.sub("_", path)
