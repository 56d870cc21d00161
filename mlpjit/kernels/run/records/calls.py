"""The functions that take all records of one moment: written from the declarations, compiled into their callers."""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.language import Function, device, float64, load, offset, store, written
from mlpjit.kernels.run.records import layer_records
from mlpjit.kernels.run.records.declare import AFTER_UPDATE, AT_GRADIENT, OVER_UNITS, LayerRecord, Moment

RECORDS: list[LayerRecord] = layer_records.records()
# The records that keep numbers of their own, in the order in which these stand in the run's memory.
REMEMBERING = [record for record in RECORDS if record.memory]
RECORD_COUNT = len(RECORDS)


def _call(record: LayerRecord) -> str:
    """Return the call of one record; its memory is an array as long as the parameters."""
    own = f"offset(memory, {REMEMBERING.index(record)} * apart)" if record.memory else ""
    passed = ", ".join(own if name == "memory" else name for name in record.arguments)
    return f"store(row, {RECORDS.index(record)}, float64({record.name}({passed})))"


def _taken(moment: Moment) -> Function:
    """Return the function that takes every record of a moment: arguments of the moment, `apart`, `row`."""
    chosen = [record for record in RECORDS if record.moment is moment]
    scope: dict[str, Any] = {record.name: record.function for record in chosen}
    scope |= {"store": store, "offset": offset, "float64": float64}
    lines = [*map(_call, chosen), "return 0"]
    arguments = (*moment.arguments, *(("apart",) if "memory" in moment.arguments else ()), "row")
    return device(written(f"take_{moment.name}", arguments, lines, scope, __name__))


def _repeated() -> Function:
    """Return the function that gives a row what another says of a step."""
    places = [place for place, record in enumerate(RECORDS) if record.moment in (AT_GRADIENT, AFTER_UPDATE)]
    lines = [f"store(target, {place}, load(source, {place}))" for place in places]
    return device(written("repeat_step_records", ("source", "target"), lines, {"store": store, "load": load}, __name__))


take_at_gradient, take_after_update, take_over_units = map(_taken, (AT_GRADIENT, AFTER_UPDATE, OVER_UNITS))
repeat_step_records = _repeated()
