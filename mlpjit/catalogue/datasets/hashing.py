"""The hash of what a run is given: its data, and the code that splits and scales it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np

from mlpjit.catalogue.datasets.records import DatasetRecord, Parameter, Raw, Scaling
from mlpjit.catalogue.datasets.variants import Variant

FOLDER = Path(__file__).parent
PREPARATION = ("matrices", "parts", "scaling", "splits", "variants")


@cache
def preparation_hash() -> str:
    """Return the hash of the syntax trees of the modules that split and scale."""
    from mlpjit.kernels.sources import module_hash

    return _digest(*(module_hash(FOLDER / f"{name}.py") for name in PREPARATION))


def contents_hash(raw: Raw, scaling: Scaling) -> str:
    """Return the hash of samples in memory: bytes, shape, classes, scaling, and the code that prepares them.

    The name of the file plays no part.
    """
    y = raw.y.astype("<i8" if raw.classes else "<f8")
    facts = json.dumps([raw.x.shape, y.shape, raw.classes, str(scaling), preparation_hash()])
    digest = hashlib.sha256(facts.encode())
    digest.update(np.ascontiguousarray(raw.x, dtype="<f8").data)
    digest.update(np.ascontiguousarray(y).data)
    return digest.hexdigest()


def recipe_hash(record: DatasetRecord, parameters: tuple[tuple[str, Parameter], ...]) -> str:
    """Return the hash of generated data: its generator and all that it calls, its parameters, its scaling.

    Random numbers and elementary functions are not in it: a run's identity covers them with its kernels.
    """
    from mlpjit.kernels.sources import reached_hash

    generator = reached_hash(record.make)
    return _digest(record.name, generator, json.dumps(parameters), str(record.scaling), preparation_hash())


def variant_hash(digest: str, variant: Variant) -> str:
    """Return the hash of a variant of data that has the hash `digest`."""
    return digest if variant.plain else _digest(digest, repr(variant))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
