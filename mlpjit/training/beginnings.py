"""The table of what every run of a template begins with: drawn parameters, states, masks, schedules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlpjit.catalogue import registries
from mlpjit.catalogue.initialization.symbolic import UNMOVED, UNSCALED, Numbers, SymbolicDraw
from mlpjit.catalogue.registries import initializers
from mlpjit.kernels.arithmetic.random import STREAMS, fill_normal, fill_uniform
from mlpjit.kernels.compiler import jit
from mlpjit.kernels.network.normalizations.weights import column_lengths
from mlpjit.kernels.run.beginning import BEGINNING, BEGINNING_NUMBER, KIND, OWN_NUMBER
from mlpjit.kernels.stages.declare import is_own
from mlpjit.kernels.tables import filled_rows
from mlpjit.training import shape
from mlpjit.training.first_parameters import draw_of

if TYPE_CHECKING:
    from mlpjit.training.schedule_values import Scheduled
    from mlpjit.training.template import Template

LAWS = {"normal": fill_normal, "uniform": fill_uniform}
NOTHING = dict.fromkeys(BEGINNING._fields, 0)
PLAIN = {"stretch": UNSCALED, "move": UNMOVED, "factor": UNSCALED, "shift": UNMOVED}


class Beginning(NamedTuple):
    """A row of the table: its columns and numbers by name, and the columns that a run adds its memory's address to."""

    columns: dict[str, Any]
    numbers: dict[str, float] = PLAIN
    moved: tuple[str, ...] = ("target",)


class Beginnings:
    """The table of a template. `given`: first parameters are for Python to work out, by each run's own data or seed."""

    def __init__(self, template: Template) -> None:
        drawn = drawn_parameters(template)
        self.given = drawn is None
        count, item = template.count, shape.ITEM_BYTES[template.dtype]
        rows = [_row("given", template.own("params"), count)] if drawn is None else drawn
        rows += _states(template, item)
        rows += [_filled(template.own(name), _length(template, name), 1.0) for name in template.masks]
        rows += [_row("seed", template.own(name) + 8 * (len(settings) - 3), 2) for name, settings in template.drawing]
        rows += _schedules(template)
        self.rows = filled_rows(BEGINNING, [{**NOTHING, **row.columns} for row in rows])
        self.numbers = filled_rows(BEGINNING_NUMBER, [row.numbers for row in rows], "float64")
        drawing = [row.columns["size"] for row in rows if row.columns["kind"] in (KIND.draw, KIND.lengths)]
        self.scratch = max(drawing, default=1)
        self.moved = np.array([[name in row.moved for name in BEGINNING._fields] for row in rows], np.int64)


def _row(kind: str, target: int, count: int, **columns: Any) -> Beginning:
    return Beginning({"kind": getattr(KIND, kind), "target": target, "size": count, **columns})


def _filled(target: int, count: int, value: float) -> Beginning:
    return _row("fill", target, count)._replace(numbers={**PLAIN, "shift": float(value)})


def _length(template: Template, name: str) -> int:
    return int(template.layout.places[name].shape[0])


def _states(template: Template, item: int) -> Iterator[Beginning]:
    """Yield what states begin with where that is not 0."""
    count, params = template.count, template.own("params")
    for name, parts in template.filled:
        for place, given in parts:
            target = template.own(name) + item * count * place
            if isinstance(given, str):
                yield _row("copy", target, count, source=params)._replace(moved=("target", "source"))
            else:
                yield _filled(target, count, given)


def _schedules(template: Template) -> Iterator[Beginning]:
    scheduled: dict[str, tuple[Scheduled | None, int]] = {
        "rates": (template.rates, OWN_NUMBER.learning_rate), "decays": (template.decays, OWN_NUMBER.decay),
        "momenta": (template.momenta, OWN_NUMBER.momentum),
    }  # fmt: skip
    for name, (each, number) in scheduled.items():
        if each is not None:
            yield _row(
                "schedule", template.own(name), each.steps, source=each.numbers, function=each.address,
                place=each.warmup, number=number,
            )  # fmt: skip


def drawn_parameters(template: Template) -> list[Beginning] | None:
    """Return how compiled code draws the first parameters; None where that takes data, or more than scaled numbers.

    A user's own function is never handed symbols: what it makes of them nobody has looked at.
    Raises ConfigError where the initializer has no numbers for an activation.
    """
    init = dict(template.values.init)
    record = initializers[init["name"]]
    if record.rescale or is_own(record):
        return None
    settings = {name: init.get(name, default) for name, default in record.defaults.items()}
    found: list[Beginning] = []
    for index, layer in enumerate(template.layers):
        try:
            made = record.function(SymbolicDraw(draw_of(template.layers, template.names, index, 0)), **settings)
        except (TypeError, AttributeError):
            return None
        weights, biases = made if isinstance(made, tuple) else (made, 0.0)
        found += _layer(template, layer, index, {"W": weights, "b": biases})
    return found


def _layer(template: Template, layer: shape.Layer, index: int, made: dict[str, Any]) -> list[Beginning]:
    """Return how the tensors of a layer begin; zeros need no row."""
    tensors, params, item = layer.tensors(), template.own("params"), shape.ITEM_BYTES[template.dtype]
    targets = {name: params + item * at for name, (at, _) in tensors.items()}
    found = [
        _tensor(template, each, targets[name], tensors[name][1], index)
        for name, each in made.items() if not (isinstance(each, float) and each == 0.0)
    ]  # fmt: skip
    if "alpha" in targets:
        (alpha,) = registries.activations[template.names[index]].settings
        found.append(_filled(targets["alpha"], layer.fan_out, alpha))
    if "beta" in targets:
        found.append(_filled(targets["gamma"], layer.fan_out, 1.0))
    elif "gamma" in targets:
        lengths = _row(
            "lengths", targets["gamma"], layer.fan_out, source=targets["W"], place=layer.fan_in,
            function=jit.load(column_lengths, template.dtype).address,
        )  # fmt: skip
        found.append(lengths._replace(moved=("target", "source")))
    return found


def _tensor(template: Template, made: Any, target: int, wanted: tuple[int, ...], layer: int) -> Beginning:
    """Return how one tensor begins: drawn, or always the same."""
    if isinstance(made, Numbers):
        count = int(np.prod(wanted))
        address = jit.load(LAWS[made.law], "float64").address
        row = _row("draw", target, count, function=address, stream=STREAMS[made.stream], place=layer)
        factor = UNSCALED if made.factor is None else made.factor
        shift = UNMOVED if made.shift is None else made.shift
        return row._replace(numbers={"stretch": made.stretch, "move": made.move, "factor": factor, "shift": shift})
    same = np.ascontiguousarray(np.broadcast_to(np.asarray(made, np.float64), wanted)).astype(template.dtype).ravel()
    template.fixed.append(same)  # whose address the row holds
    return _row("copy", target, same.size, source=same)
