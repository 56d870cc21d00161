"""Who makes the runs of a sweep: its own session in the store, and one for each other machine that makes some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlpjit.host import host, package_versions
from mlpjit.store import Session, Store
from mlpjit.study.moments import now


class Sessions:
    """The sessions of one call of `sweep`."""

    def __init__(self, store: Store, threads: int, command: str, data: Sequence[str]) -> None:
        self.store = store
        self._provenance = {"versions": package_versions(), "command": command, "data": list(data)}
        self.own = self._start(host(threads))
        self._others: dict[str, int] = {}

    def _start(self, machine: Mapping[str, Any]) -> int:
        return self.store.start_session(Session(machine, now(), self._provenance))

    def of(self, machine: Mapping[str, Any]) -> int:
        """Return the number of a machine's session, of this one's without host columns."""
        if not machine:
            return self.own
        key = json.dumps(machine, sort_keys=True)
        if key not in self._others:
            self._others[key] = self._start(machine)
        return self._others[key]

    def end(self, compile_seconds: float, wall_seconds: float) -> None:
        """Add what the sweep spent on compilation and in all."""
        self.store.end_session(self.own, compile_seconds, wall_seconds)
