"""The memory of a run: one buffer for all its arrays, laid out once for all runs of a template."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mlpjit.training.shape import ITEM_BYTES
from mlpjit.training.workspace import LINE, PAGE, STAGGER


class Place(NamedTuple):
    """Where an array stands in the buffer, in bytes."""

    start: int
    stop: int
    dtype: str
    shape: tuple[int, ...]


class Layout:
    """Arrays by name, one behind the other, each with a vector to spare behind it.

    They begin at 64-byte boundaries; those of a page or more far apart in the page, as in `workspace.aligned`.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.size = self._large = 0

    def take(self, name: str, shape: int | tuple[int, ...], dtype: str) -> int:
        """Reserve an array of zeros; return where it begins."""
        shape = shape if isinstance(shape, tuple) else (shape,)
        count = math.prod(shape)
        wanted = max(count, 1) * ITEM_BYTES.get(dtype, 8)
        start = -(-self.size // LINE) * LINE
        if wanted >= PAGE:
            start += (self._large * STAGGER - start) % PAGE
            self._large += 1
        self.places[name] = Place(start, start + count * ITEM_BYTES.get(dtype, 8), dtype, shape)
        self.size = start + wanted + LINE
        return start

    def take_block(self, name: str, parts: Mapping[str, tuple[int, ...]], dtype: str) -> None:
        """Reserve an array that is made of others, with nothing between them."""
        sizes = [math.prod(shape) for shape in parts.values()]
        start, item = self.take(name, sum(sizes), dtype), ITEM_BYTES.get(dtype, 8)
        for (part, shape), size in zip(parts.items(), sizes, strict=True):
            self.places[part] = Place(start, start + size * item, dtype, shape)
            start += size * item


class Memory:
    """The buffer of a run: zeros."""

    def __init__(self, layout: Layout) -> None:
        self.places = layout.places
        raw = np.zeros(layout.size + PAGE, np.uint8)
        start = -raw.ctypes.data % PAGE
        self.buffer = raw[start : start + layout.size]
        self.address = raw.ctypes.data + start

    def array(self, name: str) -> np.ndarray:
        """Return the view of an array."""
        start, stop, dtype, shape = self.places[name]
        found: np.ndarray = self.buffer[start:stop].view(dtype)
        return found if len(shape) == 1 else found.reshape(shape)

    def at(self, name: str) -> int:
        """Return the address of an array."""
        return self.address + self.places[name].start
