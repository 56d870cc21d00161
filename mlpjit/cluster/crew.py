"""The workers of a cluster: who is there, who may make runs, what each has been handed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from distributed import Client, Future, as_completed

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.cluster import serving
from mlpjit.cluster.backlog import MOST_SECONDS, Chunk
from mlpjit.cluster.parcels import Admission, Question, packed, versions
from mlpjit.config.identity import records_used
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.kernels.stages.declare import is_own
from mlpjit.study.moments import now

LOOK_SECONDS = 0.5
TICK_SECONDS = 0.02
ANSWER_SECONDS = 5.0  # for what a worker has answered to arrive
AHEAD = 4  # chunks that a worker has at most for each of its threads


@dataclass(eq=False)
class Member:
    """A worker: runs that it can make at once, and its chunks in the order in which it makes them."""

    address: str
    slots: int
    handed: list[Handed] = field(default_factory=list)
    admission: Future | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    ready: bool = False
    refused: bool = False

    @property
    def host(self) -> str:
        """The machine that it is on."""
        return urlsplit(self.address).hostname or self.address

    def free(self, ahead: int) -> int:
        """Return how many chunks it may be handed, where each of its threads has so many at most."""
        return ahead * self.slots - len(self.handed) if self.ready else 0


@dataclass(eq=False)
class Handed:
    """A chunk that a worker has."""

    chunk: Chunk
    member: Member
    future: Future
    begun: float | None = None  # when the worker was first seen to be at it
    since: str = ""

    @property
    def under_way(self) -> bool:
        """Whether the worker is at it: it is among the first that have not ended; of what was dropped, was at it."""
        if self not in self.member.handed:
            return self.begun is not None
        waiting = [each for each in self.member.handed if each.future.status != "finished"]
        return self in waiting[: self.member.slots]

    def seconds(self) -> float:
        """Return for how long the worker has been at it."""
        if self.begun is None and self.under_way:
            self.begun, self.since = time.monotonic(), now()
        return 0.0 if self.begun is None else time.monotonic() - self.begun


class Crew:
    """Keeps up with the workers that come and go. `warn` is told who is refused, and why."""

    def __init__(self, client: Client, warn: Callable[[str], None]) -> None:
        self.client, self.warn = client, warn
        self.token = f"mlpjit-{uuid4().hex[:12]}"
        self.members: dict[str, Member] = {}
        self.handed: dict[Any, Handed] = {}
        self._question, self._warm = b"", set[str]()
        self._count, self._looked = 0, 0.0
        self._told: set[str] = set()
        self._arrivals = as_completed(loop=client.loop, with_results=True, raise_errors=False)

    @property
    def slots(self) -> int:
        """How many runs can be made at once."""
        return sum(member.slots for member in self.members.values() if member.ready)

    def prepare(self, configs: Sequence[RunConfig], tell: Callable[[int, int, str], None]) -> float:
        """Have every worker admitted for these runs, the first one of each machine first; return once one is.

        Raises ConfigError where all that are there are refused.
        """
        _check_own(configs)
        began = time.monotonic()
        self._question, self._warm = packed(Question(versions(), configs)), set()
        for member in self.members.values():
            member.admission, member.ready, member.refused = None, False, False
        while not self.slots:
            self.look()
            self._check_refused()
            tell(
                0, 1, f"on workers, {len(self.members)} so far" if self.members else "nothing yet: waiting for workers"
            )
            time.sleep(TICK_SECONDS)
        tell(1, 1, "")
        return time.monotonic() - began

    def _check_refused(self) -> None:
        members = self.members.values()
        if members and all(member.refused for member in members):
            raise ConfigError(["no worker may make these runs:", *sorted(self._told)])

    def look(self) -> list[Handed]:
        """Admit who is new; return what was lost with those that are gone."""
        lost: list[Handed] = []
        if time.monotonic() - self._looked > LOOK_SECONDS:
            lost = self._call_the_roll()
            self._looked = time.monotonic()
        for member in self.members.values():
            self._admit(member)
        return lost

    def _call_the_roll(self) -> list[Handed]:
        try:
            there: dict[str, int] = self.client.nthreads()
        except OSError:
            told = "what arrived is stored, and the same command again resumes"
            raise MlpjitError(f"the scheduler was lost: {told}") from None
        if self.members and not there:
            self._tell("no worker is there any more: waiting for others")
        lost: list[Handed] = []
        for address in self.members.keys() - there.keys():
            lost += self.members.pop(address).handed
        for address, slots in there.items():
            self.members.setdefault(address, Member(address, slots)).slots = slots
        return lost

    def _admit(self, member: Member) -> None:
        """Ask a worker, unless another of its machine is compiling; take its answer."""
        if member.ready or member.refused:
            return
        if member.admission is None:
            if member.host in self._warm or not self._is_warming(member.host):
                member.admission = self._submit(serving.admit, self._question, member)
        elif member.admission.done():
            answer = self._answer(member.admission)
            member.admission.release()
            member.admission = None
            if answer is None:
                return
            problems, member.machine = answer
            member.ready, member.refused = not problems, bool(problems)
            self._warm.add(member.host)
            self._tell(f"{member.address} is refused: {'; '.join(problems)}" if problems else "")

    def _is_warming(self, host: str) -> bool:
        return any(member.host == host and member.admission is not None for member in self.members.values())

    @staticmethod
    def _answer(admission: Future) -> Admission | None:
        """Return what a worker answered; None where it went before it was heard, for which Dask waits without end."""
        if admission.status == "finished":
            try:
                return Admission(*admission.result(timeout=ANSWER_SECONDS))
            except OSError:
                return None
        return Admission([f"it cannot import what runs need: {admission.exception()!r}"], {})

    def _tell(self, line: str) -> None:
        if line and line not in self._told:
            self._told.add(line)
            self.warn(line)

    def _submit(self, call: Callable[..., Any], *arguments: Any) -> Future:
        *given, member = arguments
        self._count += 1
        # A key that is a pair: Dask keeps account of names, and this is one name for all.
        return self.client.submit(
            call, *given, key=(self.token, self._count), workers=[member.address], allow_other_workers=False, pure=False
        )

    def hand(self, chunk: Chunk, member: Member) -> None:
        """Give a worker what is missing of a chunk."""
        future = self._submit(serving.make, self.token, packed((chunk.missing, MOST_SECONDS)), member)
        handed = Handed(chunk, member, future)
        chunk.copies += 1
        member.handed.append(handed)
        self.handed[future.key] = handed
        self._arrivals.add(future)

    def arrived(self) -> list[tuple[Handed, Any]]:
        """Return what has ended, with what came of it; nothing of it is kept on the cluster."""
        found = []
        for future, result in self._arrivals.next_batch(block=False):
            if handed := self.handed.get(future.key):
                self.drop(handed)
                found.append((handed, result))
        return found

    def drop(self, handed: Handed) -> None:
        """Forget what was handed."""
        if self.handed.pop(handed.future.key, None):
            handed.chunk.copies -= 1
            handed.member.handed.remove(handed)
            handed.future.release()

    def stop(self) -> None:
        """Have the runs under way end, without waiting for that."""
        for handed in list(self.handed.values()):
            if not handed.under_way:
                self.drop(handed)
        busy = list({handed.member.address for handed in self.handed.values()})
        if busy:  # a worker that cannot be reached any more must not hold this thread up
            threading.Thread(target=self._tell_to_stop, args=(busy,), daemon=True).start()

    def _tell_to_stop(self, addresses: list[str]) -> None:
        with suppress(Exception):
            self.client.run(serving.stop, self.token, workers=addresses, wait=False, on_error="ignore")

    def drop_all(self) -> None:
        """Forget everything that was handed."""
        for handed in list(self.handed.values()):
            self.drop(handed)


def _check_own(configs: Sequence[RunConfig]) -> None:
    """Raise ConfigError where runs need what a user wrote, which workers do not have."""
    used = {(kind, name.partition("(")[0]) for config in configs for kind, name in records_used(config.__dict__)}
    if own := sorted(name for kind, name in used if kind in REGISTRIES and is_own(REGISTRIES[kind][name])):
        raise ConfigError(f"--dask: {', '.join(own)}: what you have written yourself runs on this machine alone")
