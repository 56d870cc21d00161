"""Whether what a file announces fits into memory, asked before it is read."""

from __future__ import annotations

from mlpjit.errors import DatasetError
from mlpjit.host import free_memory_bytes

# Of each number: as it is stored, in float64, and scaled.
BYTES = 3 * 8


def check_fits(label: str, numbers: int) -> None:
    """Raise DatasetError, which begins with `label`, where so many numbers take more memory than is free."""
    free = free_memory_bytes()
    if free is not None and BYTES * numbers > free:
        told = f"{numbers:,} numbers take {BYTES * numbers / 1e9:,.3g} GB to read"
        raise DatasetError(f"{label}: {told}, and {free / 1e9:,.3g} GB are free")
