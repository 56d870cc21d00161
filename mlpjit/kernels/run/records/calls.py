"""The functions that take all records of one moment: written from the declarations, compiled into their callers."""

from __future__ import annotations

from typing import Any

from mlpjit.kernels.language import Function, device, float64, load, offset, store, written
from mlpjit.kernels.run.records import layer_records, run_records
from mlpjit.kernels.run.records.declare import AFTER_UPDATE, AT_EVALUATION, AT_GRADIENT, OVER_UNITS, Moment, Record

RECORDS: list[Record] = layer_records.records()
OF_RUNS: list[Record] = run_records.records()
# The records that keep numbers of their own, in the order in which these stand in the run's memory.
REMEMBERING = [record for record in RECORDS if record.memory]
RECORD_COUNT, RUN_RECORD_COUNT = len(RECORDS), len(OF_RUNS)


def _call(record: Record, place: int) -> str:
    """Return the call of one record; its memory is an array as long as the parameters."""
    own = f"offset(memory, {REMEMBERING.index(record)} * apart)" if record.memory else ""
    passed = ", ".join(own if name == "memory" else name for name in record.arguments)
    return f"store(row, {place}, float64({record.name}_of({passed})))"


def _taken(moment: Moment) -> Function:
    """Return the function that takes every record of a moment: arguments of the moment, `apart`, `row`."""
    among = OF_RUNS if moment is AT_EVALUATION else RECORDS
    chosen = [(record, place) for place, record in enumerate(among) if record.moment is moment]
    # A record may have the name of an argument.
    scope: dict[str, Any] = {f"{record.name}_of": record.function for record, _ in chosen}
    scope |= {"store": store, "offset": offset, "float64": float64}
    lines = [*(_call(record, place) for record, place in chosen), "return 0"]
    arguments = (*moment.arguments, *(("apart",) if "memory" in moment.arguments else ()), "row")
    return device(written(f"take_{moment.name}", arguments, lines, scope, __name__))


def _repeated() -> Function:
    """Return the function that gives a row what another says of a step."""
    places = [place for place, record in enumerate(RECORDS) if record.moment in (AT_GRADIENT, AFTER_UPDATE)]
    lines = [f"store(target, {place}, load(source, {place}))" for place in places]
    return device(written("repeat_step_records", ("source", "target"), lines, {"store": store, "load": load}, __name__))


take_at_gradient, take_after_update, take_over_units = map(_taken, (AT_GRADIENT, AFTER_UPDATE, OVER_UNITS))
take_at_evaluation = _taken(AT_EVALUATION)
repeat_step_records = _repeated()
