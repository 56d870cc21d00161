"""Arrays that many runs share: kept while there is room, made once even when several threads ask."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
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
        self._values: OrderedDict[Any, Value] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made now if it is not held."""
        return self.get_all([key], lambda missing: [make()])[0]

    def get_all(self, keys: Sequence[Key], make: Callable[[Sequence[Key]], Sequence[Value]]) -> list[Value]:
        """Return the values of different keys; `make` makes those that are not held, all at once."""
        with self._lock:
            missing = [key for key in keys if key not in self._values]
            if missing:
                made = dict(zip(missing, make(missing), strict=True))
                self._values.update(made)
                self._bytes += sum(map(self._size, made.values()))
            for key in keys:
                self._values.move_to_end(key)
            found = [self._values[key] for key in keys]
            self._shrink()
            return found

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
