"""Values that options of several commands take."""

from __future__ import annotations

from enum import StrEnum


class Dtype(StrEnum):
    """The dtypes that kernels are compiled for."""

    float32 = "float32"
    float64 = "float64"
