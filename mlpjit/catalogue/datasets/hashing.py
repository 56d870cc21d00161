"""The hash of the data that a run is given. The code that makes, splits and scales them is hashed with the run's."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from mlpjit.catalogue.datasets.parts import HELD_OUT_PERCENT
from mlpjit.catalogue.datasets.records import DatasetRecord, Parameter, Raw, Scaling
from mlpjit.catalogue.datasets.variants import Variant


def contents_hash(raw: Raw, scaling: Scaling) -> str:
    """Return the hash of samples in memory: bytes, shape, classes, scaling, what is held out where that is not 15 %.

    The name of the file plays no part.
    """
    y = raw.y.astype("<i8" if raw.classes else "<f8")
    held_out = [] if raw.held_out == HELD_OUT_PERCENT else [raw.held_out]
    digest = hashlib.sha256(json.dumps([raw.x.shape, y.shape, raw.classes, str(scaling), *held_out]).encode())
    digest.update(np.ascontiguousarray(raw.x, dtype="<f8").data)
    digest.update(np.ascontiguousarray(y).data)
    return digest.hexdigest()


def recipe_hash(record: DatasetRecord, parameters: tuple[tuple[str, Parameter], ...]) -> str:
    """Return the hash of generated data: the name of its generator, its parameters, its scaling."""
    return _digest(record.name, json.dumps(parameters), str(record.scaling))


def variant_hash(digest: str, variant: Variant) -> str:
    """Return the hash of a variant of data that has the hash `digest`."""
    return digest if variant.plain else _digest(digest, repr(variant))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
