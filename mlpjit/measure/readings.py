"""Cases on the clock beside the machine's limits: time, rates, and shares of each limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from mlpjit.measure import machine_limits
from mlpjit.measure.cases.table import Case
from mlpjit.measure.cases.work import Work
from mlpjit.measure.clock import Spread, Timed, spread

REFERENCE_SECONDS = 3e-4
# Limits that say nothing of a kind: an update is held to memory and its own units; what losses and random numbers
# compute is not counted, and is more than they move.
UNBOUNDED = {"optimizer": ("fma",), "clipping": ("fma",), "loss": ("memory",), "random": ("memory",)}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Reading:
    """One case: seconds of a repeat, what it counts, and its shares of the rates measured beside it.

    `shares` names a limit: fma, memory (the fastest stream through `level`, which holds the case's arrays), units
    (square roots and divisions). `bound` is the limit that asks for the most time, and the share of it is how near the
    case comes; "" where what a case does is not counted.
    """

    name: str
    group: str
    dtype: str
    seconds: Spread
    flop: float
    moved: float
    resident: float
    level: str
    shares: dict[str, Spread] = field(default_factory=dict)
    bound: str = ""

    @property
    def flops(self) -> float:
        """Useful floating-point operations a second."""
        return self.flop / self.seconds.median

    @property
    def bandwidth(self) -> float:
        """Bytes that must be moved, a second."""
        return self.moved / self.seconds.median


class Beside:
    """The limits of one dtype, each ready to be sampled beside a case."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.levels = {level.name: level for level in machine_limits.levels()}
        self.timed = cache(self._timed)

    def _timed(self, name: str) -> Timed:
        if name in self.levels:
            return Timed(machine_limits.fastest(self.levels[name], self.dtype), REFERENCE_SECONDS)
        return Timed(machine_limits.arithmetic(name, self.dtype), REFERENCE_SECONDS)

    def needed(self, work: Work) -> dict[str, float]:
        """Return the seconds that each limit asks of the work at least, measured now; limits that ask none left out."""
        asked = {
            "fma": [("fma", work.flop)],
            "memory": [(machine_limits.level_of(work.resident), work.moved)],
            "units": [("sqrt", work.roots), ("div", work.divisions)],
        }
        return {
            limit: sum(self._seconds(name, amount) for name, amount in parts if amount)
            for limit, parts in asked.items()
            if any(amount for _, amount in parts)
        }

    def _seconds(self, name: str, amount: float) -> float:
        timed = self.timed(name)
        return amount / _amount(timed.work, name) * timed.sample()


def measure(cases: Iterable[Case], rounds: int, seconds: float, progress: Progress) -> list[Reading]:
    """Time the cases in turns, `rounds` samples of about `seconds` each, the limits beside every sample."""
    chosen = list(cases)
    made = []
    for done, case in enumerate(chosen):
        progress(done, len(chosen) * 2)
        made.append(Timed(case.make(), seconds))
    besides = {case.dtype: Beside(case.dtype) for case in chosen}
    times: list[list[float]] = [[] for _ in chosen]
    needed: list[list[dict[str, float]]] = [[] for _ in chosen]
    for turn in range(rounds):
        progress(len(chosen) + turn * len(chosen) // rounds, len(chosen) * 2)
        for place, (case, timed) in enumerate(zip(chosen, made, strict=True)):
            needed[place].append(besides[case.dtype].needed(timed.work))
            times[place].append(timed.sample())
    progress(2 * len(chosen), 2 * len(chosen))
    return [_reading(*parts) for parts in zip(chosen, made, times, needed, strict=True)]


def _reading(case: Case, timed: Timed, times: Sequence[float], needed: Sequence[dict[str, float]]) -> Reading:
    work = timed.work
    shares = {
        limit: spread([asked[limit] / took for asked, took in zip(needed, times, strict=True)]) for limit in needed[0]
    }
    bounding = [limit for limit in shares if limit not in UNBOUNDED.get(case.group, ())]
    return Reading(
        case.name, case.group, case.dtype, spread(times), work.flop, work.moved, work.resident,
        machine_limits.level_of(work.resident), shares,
        max(bounding, key=lambda limit: shares[limit].median, default=""),
    )  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """What one core does at most: `rate` is FLOP, roots, divisions or bytes a second."""

    name: str
    unit: str
    rate: Spread


def machine(dtypes: Sequence[str], rounds: int) -> list[Limit]:
    """Return the rates of arithmetic by dtype and of every stream at each level of the memory."""
    works = {
        (f"{unit}/{dtype}", unit): machine_limits.arithmetic(unit, dtype)
        for dtype in dtypes
        for unit in ("fma", "sqrt", "div")
    }
    works |= {
        (f"{stream}/{level.name}", "bytes"): machine_limits.memory(stream, level, dtypes[0])
        for stream in machine_limits.STREAMS
        for level in machine_limits.levels()
    }
    timed = {key: Timed(work) for key, work in works.items()}
    samples: dict[tuple[str, str], list[float]] = {key: [] for key in timed}
    for _ in range(rounds):
        for (name, unit), each in timed.items():
            samples[name, unit].append(_amount(each.work, unit) / each.sample())
    return [Limit(name, unit, spread(values)) for (name, unit), values in samples.items()]


def _amount(work: Work, unit: str) -> float:
    return {"fma": work.flop, "sqrt": work.roots, "div": work.divisions}.get(unit, work.moved)
