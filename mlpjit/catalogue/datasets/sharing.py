"""Arrays that many runs share: kept while there is room, made once even when several threads ask."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """Values by key; the ones used longest ago are dropped when they exceed `max_bytes` together, or `most` in number.

    The newest value is kept whatever its size. One lock covers the making of values too: a second thread that
    asks for the same arrays waits for them and does not make its own.
    """

    def __init__(self, max_bytes: int, size: Callable[[Value], int], most: int = sys.maxsize) -> None:
        """Hold up to `max_bytes`; `size(value)` says how many bytes one takes."""
        self._max_bytes = max_bytes
        self._size = size
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made now if it is not held."""
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
                return found
            self._values[key] = made = make()
            self._bytes += self._size(made)
            self._shrink()
            return made

    def _shrink(self) -> None:
        while len(self._values) > 1 and (self._bytes > self._max_bytes or len(self._values) > self._most):
            self._bytes -= self._size(self._values.popitem(last=False)[1])

    def __len__(self) -> int:
        """Return how many values are held."""
        return len(self._values)

    def clear(self) -> None:
        """Drop every value."""
        with self._lock:
            self._values.clear()
            self._bytes = 0
