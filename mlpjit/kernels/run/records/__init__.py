"""What a run records of itself and of each layer: declarations, without Numba. A record needs nothing else.

Rows of the records, histories, the store, exports and docs follow from `runs.py` and `layers.py`: their order is that
of the columns, those of the run first.
"""

from __future__ import annotations

from mlpjit.kernels.run.records import layers, runs  # noqa: F401  (their records register)
from mlpjit.kernels.run.records.declare import layer_records, run_records

RUN_RECORDS, LAYER_RECORDS = tuple(run_records), tuple(layer_records)
WHOLE_RECORDS = tuple(record.name for record in run_records.records() if record.unit in ("epochs", "steps"))
