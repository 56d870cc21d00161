"""What runs in a process of one version of mlpjit while two are compared. Its text is given to `python -c`.

It takes one JSON list a line, [name of a function below, *arguments], and answers with one JSON line. Of mlpjit it uses
the table of cases alone, of whichever version its folder holds; so this module imports nothing else of mlpjit.

A launch is a process of its own. Forks of one that had imported everything were cheaper, but inherited its addresses:
of 20 comparisons of a version with itself 4 then found a change, the same in every fork.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from mmap import mmap
from typing import Any

_table: dict[str, Any] = {}
_current: dict[str, Any] = {}
# What was made before is kept a while: new arrays come to lie on other pages.
_kept: deque[Any] = deque(maxlen=16)
_chance = random.Random()
PAGE = 4096
MESSAGE = 200  # characters of an error that are told
MODULES = ("products", "entries", "rules", "pieces", "steps", "wholes")
LINE = 64
ITEM = 4  # the least bytes of a number


def stay(cores: list[int]) -> None:
    """Stay on these cores from now on."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _placed(aligned: Any) -> Any:
    """Return `workspace.aligned` that begins, in `make`, at a place in the page which chance chooses, and knows.

    Where two arrays lie nearly a multiple of a page apart, a loop over both takes up to half as long again: that must
    differ between layouts, and be the same for both versions. So a change of where arrays lie cannot be seen.
    """

    def placed(count: int, dtype: str) -> Any:
        if "seed" not in _current:
            return aligned(count, dtype)
        made = aligned(count + PAGE // ITEM, dtype)
        wanted = LINE * _chance.randrange(PAGE // LINE)
        first = (wanted - made.ctypes.data) % PAGE // made.itemsize
        return made[first : first + count]

    return placed


def _first(*names: str) -> Any:
    """Return the first of some modules that a version has: where it stands now, where it stood before."""
    for name in names[:-1]:
        with suppress(ModuleNotFoundError):
            return import_module(name)
    return import_module(names[-1])


def cases(dtype: str) -> str:
    """Import all that cases need, behind a shift by chance; return where the package lies."""
    _current["shift"] = mmap(-1, PAGE * random.randrange(1, 1 << 12)), bytearray(random.randrange(1, 1 << 16))
    import mlpjit

    # Before others import it from there.
    workspace = _first("mlpjit.training.workspace", "mlpjit.workspace")
    workspace.aligned = _placed(workspace.aligned)
    table = _first("mlpjit.measure.cases.table", "mlpjit.measure.cases")
    for module in MODULES:
        with suppress(ImportError):
            import_module(f"{table.__name__.removesuffix('.table').removesuffix('.cases')}.{module}")
    _table.update(table.cases(dtype))
    return str(mlpjit.__file__)


def load(names: list[str] | None, part: str) -> dict[str, str]:
    """Compile or load these cases, or all with this in their names; return what was wrong with each, "" for nothing."""
    found = {name: _loaded(name) for name in _table if (part in name if names is None else name in names)}
    gc.collect()
    gc.freeze()
    gc.disable()
    return found


def _loaded(name: str) -> str:
    try:
        _table[name].make().run(1)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:MESSAGE]
    return ""


def make(name: str, seed: int) -> None:
    """Prepare a case anew, its arrays at other addresses than before; the same seed gives the same distances."""
    _chance.seed(seed)
    _kept.append(_current.pop("run", None))
    _current["seed"] = seed
    _current["run"] = _table[name].make().run
    del _current["seed"]
    _current["run"](2)


def repeats(seconds: float) -> int:
    """Return how many repeats of the case take about so long."""
    count = 1
    while True:
        took = run(count)
        if took > seconds / 4 or count > 1 << 24:
            return max(1, round(count * seconds / took))
        count *= 4


def run(count: int) -> float:
    """Return the seconds that so many repeats take of a core, the caches filled before by an eighth as many."""
    _current["run"](max(1, count // 8))
    start = time.thread_time()
    _current["run"](count)
    return time.thread_time() - start


def serve() -> None:
    """Answer until the other side closes."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a version prints must not mix with the answers
    known: dict[str, Callable[..., Any]] = {f.__name__: f for f in (stay, cases, load, make, repeats, run)}
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = [True, known[name](*arguments)]
        except Exception as error:
            answer = [False, f"{type(error).__name__}: {error}"]
        os.write(answers, (json.dumps(answer) + "\n").encode())


if __name__ == "__main__":
    serve()
