"""Shared arrays: made once, dropped when there is no room."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mlpjit.catalogue.datasets.sharing import Shared


def test_made_once() -> None:
    shared: Shared[list[int]] = Shared(100, len)
    first = shared.get("a", lambda: [1])
    assert shared.get("a", lambda: [2]) is first


def test_of_many_only_those_are_made_that_are_not_held() -> None:
    """All at once, and all are returned, though there is no room for them."""
    shared: Shared[str] = Shared(100, len, most=3)
    made: list[list[str]] = []

    def make(missing: Sequence[str]) -> list[str]:
        made.append(list(missing))
        return [key.upper() for key in missing]

    assert shared.get("b", lambda: "held") == "held"
    assert shared.get_all(["a", "b", "c", "d"], make) == ["A", "held", "C", "D"]
    assert shared.get_all(["b", "d"], make) == ["held", "D"]
    assert (made, len(shared)) == ([["a", "c", "d"]], 3)


def test_the_one_used_longest_ago_is_dropped() -> None:
    shared: Shared[bytes] = Shared(20, len)
    made: list[str] = []

    def get(key: str) -> bytes:
        return shared.get(key, lambda: made.append(key) or b"12345678")  # type: ignore[func-returns-value]

    for key in "abacab":
        get(key)
    # c pushed out b, since a was used after b; then b had to be made again.
    assert made == ["a", "b", "c", "b"]
    assert len(shared) == 2


def test_no_more_are_held_than_is_said() -> None:
    shared: Shared[str] = Shared(100, len, most=2)
    for key in "abc":
        shared.get(key, lambda key=key: key)  # type: ignore[misc]
    assert (len(shared), shared.get("b", lambda: "made anew"), shared.get("a", lambda: "made anew")) == (
        2, "b", "made anew",
    )  # fmt: skip


def test_the_newest_is_kept_whatever_its_size() -> None:
    shared: Shared[bytes] = Shared(4, len)
    large = shared.get("large", lambda: b"123456789")
    assert shared.get("large", lambda: b"other") is large


def test_a_failure_is_not_remembered() -> None:
    shared: Shared[int] = Shared(4, lambda value: 1)
    attempts = iter([ValueError("no"), None])

    def make() -> int:
        if error := next(attempts):
            raise error
        return 7

    try:
        shared.get("a", make)
    except ValueError:
        assert len(shared) == 0
    assert shared.get("a", make) == 7


def test_threads_make_a_value_once() -> None:
    shared: Shared[object] = Shared(100, lambda value: 1)
    gate, calls = threading.Barrier(8), []

    def make() -> object:
        calls.append(1)
        time.sleep(0.02)
        return object()

    def ask(_: int) -> object:
        gate.wait()
        return shared.get("a", make)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(ask, range(8))))) == 1
    assert calls == [1]
