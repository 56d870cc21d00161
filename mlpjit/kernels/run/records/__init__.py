"""What a run records of each layer: declarations, without Numba. A declaration is all that a record needs.

Rows of the records, histories, the store, exports and docs follow from `layers.py`: its order is that of the columns.
"""

from __future__ import annotations

from mlpjit.kernels.run.records import layers  # noqa: F401  (its records register)
from mlpjit.kernels.run.records.declare import layer_records

DIAGNOSTICS = tuple(layer_records)
