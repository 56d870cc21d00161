"""The hash that names a run: of its canonical form, of the code that its bits depend on, and of its data."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from mlpjit.catalogue.datasets.specs import is_file
from mlpjit.catalogue.specs import registry, samples_labels
from mlpjit.config.fields import (
    KERNEL_FIELDS,
    PARTS,
    SHAPE_FIELDS,
    UNUSED,
    Part,
    Values,
    activation,
    described,
    loss,
    momentum_scheduled,
)
from mlpjit.config.memory import in_memory
from mlpjit.registry import forgetting


def records_used(values: Values) -> list[tuple[str, str]]:
    """Return the (kind, name) of every registered record whose code the run executes."""
    names = activation(values)
    used = [("activations", name) for name in ([names] if isinstance(names, str) else names)]
    if values["output_activation"] != "softmax":  # which is part of the losses, hashed with every run
        used.append(("activations", values["output_activation"]))
    used.append(("losses", loss(values).name))
    used += [("normalizations", values["normalization"]), ("residuals", values["residual"])]
    kinds = {
        "initializers": "init", "optimizers": "optimizer", "schedules": "schedule", "clippings": "clip",
        "wrappers": "wrapper",
    }  # fmt: skip
    used += [] if _named_by_contents(values) else [("datasets", values["dataset"]["name"])]
    used.append(("schedules", values["weight_decay_schedule"]["name"]))
    used += [("schedules", values["momentum_schedule"]["name"])] if momentum_scheduled(values) else []
    used += [(kind, values[name]["name"]) for kind, name in kinds.items() if values[name] is not None]
    return sorted(set(used))


@lru_cache(maxsize=65536)
def _source_hash(used: tuple[tuple[str, str], ...]) -> str:
    from mlpjit.config.code_hash import source_hash

    return source_hash(used)


forgetting.append(_source_hash.cache_clear)


def source_hash(values: Values) -> str:
    """Return the hash of the code that a run uses."""
    return _source_hash(tuple(records_used(values)))


def code_and_data(values: Values) -> str:
    """Return the hash of the code that a run uses, followed by the hash of its data."""
    return source_hash(values) + described(values).data_hash


def json_part(name: str, value: Any) -> str:
    """Return one `"key":value` of the canonical JSON."""
    return f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"


def _data_named(values: Values) -> Any:
    """A file, or data in memory, is named by the hash of its contents alone, which follows with the code."""
    return "file" if _named_by_contents(values) else values["dataset"]


def _named_by_contents(values: Values) -> bool:
    name = values["dataset"]["name"]
    return is_file(name) or in_memory(name)


def _batch(values: Values) -> Any:
    size = values["batch_size"]
    return "full" if size != "full" and size >= described(values).train_samples else size


def _draws(values: Values) -> bool:
    """Say whether a stage of the run draws random numbers."""
    stages = [(kind, values[name]) for kind, name in (("optimizers", "optimizer"), ("wrappers", "wrapper"))]
    records = [(registry(kind)[spec["name"]], spec) for kind, spec in stages if spec is not None]
    return any(record.draws or samples_labels(record, spec) for record, spec in records)


# Parts of the canonical form that can be written in several ways without another number in the run.
EQUIVALENT: dict[str, Part] = {
    "dataset": Part(("dataset",), _data_named),
    "batch_size": Part(("batch_size", "dataset"), _batch),
    "evaluate_every": Part(("evaluate_every", "epochs"), lambda v: min(v["evaluate_every"], max(v["epochs"], 1))),
    "order_seed": Part(
        ("order_seed", "seed", "shuffle", "dropout"),
        lambda v: PARTS["order_seed"].value(v) if v["shuffle"] or v["dropout"] else None,
    ),
    # It sets the other three; besides, only stages that draw read it.
    "seed": Part(("seed", "optimizer", "wrapper"), lambda v: v["seed"] if _draws(v) else None),
}


def _hashed(name: str, part: Part) -> Part:
    return Part(part.fields, lambda values: json_part(name, part.value(values)))


def _if_used(values: Values) -> str:
    """Return the JSON of what the canonical form leaves out unless it is used, in front of code and data."""
    return "".join(f"{json_part(name, values[name])}," for name, none in UNUSED.items() if values[name] != none)


# The text that is hashed: the canonical JSON but for what is not used, then code and data.
IDENTITY: dict[str, Part] = {
    **{
        name: _hashed(name, EQUIVALENT.get(name, part))
        for name, part in PARTS.items() if name not in UNUSED
    },
    "~code and data": Part(
        (*KERNEL_FIELDS, *SHAPE_FIELDS, *UNUSED), lambda values: _if_used(values) + code_and_data(values)
    ),
}  # fmt: skip


def digest(text: str) -> str:
    """Return the run id of an identity text: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_id(values: Values) -> str:
    """Return the id of one run."""
    return digest(",".join(part.value(values) for part in IDENTITY.values()))
