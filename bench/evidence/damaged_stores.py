"""Stores and logs flipped, cut and shuffled: what is shown of them then, and whether the same command mends them.

    python bench/evidence/damaged_stores.py [FAULTS] [SEED]

Each fault is done to a copy of a finished store, or of one whose writer was killed (its log and account beside it). The
copy is read as reports and exports read, then written as the same command writes: what it lacks is made again. Counted
are wrong values shown, runs missing without a word, errors that are not one line, and stores that stay damaged. Prints
JSON; exits with 1 unless all four are 0.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlpjit.errors import DamageWarning, StoreError
from mlpjit.store import Session, Store, StoredRun
from mlpjit.store.arrays import LAYER_CURVES

RUNS, PAGE = 80, 4096
STUDY = {"name": "small"}
NOTE = ["tries", {"text": "as it was"}]
IDS = [f"{number:016x}" for number in range(RUNS)]
Fault = Callable[[Path, random.Random], None]
Shown = dict[str, Any]


def run_of(number: int) -> StoredRun:
    """What is made is a function of its number: the same command makes the same again."""
    drawn = np.random.default_rng(number)
    losses = drawn.random(5)
    values = {"run_id": IDS[number], "state": "done", "depth": 1 + number % 3, "optimizer": f"adam(b1={number / RUNS})",
              "learning_rate": 10.0**-number, "final_validation_loss": losses[-1], "test_score": float(losses[0]),
              "seed": number, "config": json.dumps({"seed": number}), "session": 1}  # fmt: skip
    history = {"epoch": np.arange(5), "step": 10 * np.arange(5), "validation_loss": losses}
    return StoredRun(values, history | {name: drawn.random((5, 1 + number % 3)) for name in LAYER_CURVES})


def complete(path: Path) -> None:
    """Do what `mlpjit run` does: make what the store lacks."""
    with Store.open(path) as store:
        fill(store)


def fill(store: Store) -> None:
    store.save_plan(STUDY, [("tune", IDS)], ["a step"])
    if not store.sessions():
        store.start_session(Session({"host_cpu": "a CPU"}, "today", {"command": "mlpjit run"}))
    if "a step" not in store.timing_keys():
        store.put_timing("a step", {"depth": 2, "step_seconds": 0.25}, "today", 1)
    if store.note(NOTE[0]) != NOTE[1]:
        store.put_note(NOTE[0], NOTE[1])
    known = store.known()
    for number, run_id in enumerate(IDS):
        if run_id not in known:
            store.put(run_of(number))
            if number % 10 == 0:
                store.flush()
    store.flush()


def shown(path: Path) -> Shown:
    """Everything that reports and exports show of a store, by run and by table. Raises StoreError."""
    with Store.open(path, readonly=True) as store:
        rows = {row[0]: row for row in store.rows()}
        assert not rows or set(rows) == set(store.known())
        curves = {run_id: curve.tobytes() for run_id, curve in store.curve_arrays(list(rows))}
        layers = {run_id: part.to_numpy().tolist() for run_id, part in store.layers(list(rows)).groupby("run_id")}
        found: Shown = {run_id: (row, curves[run_id], layers[run_id]) for run_id, row in rows.items()}
        tables = {"sessions": store.sessions(), "timing": store.timing().to_numpy().tolist(), "study": store.study()}
        return found | tables | {"note": store.note(NOTE[0])}


def flip(file: Path, draw: random.Random) -> None:
    """Turn one bit."""
    data = bytearray(file.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    file.write_bytes(bytes(data))


def scribble(file: Path, draw: random.Random) -> None:
    """Overwrite up to 64 bytes."""
    data = bytearray(file.read_bytes())
    start, length = draw.randrange(len(data)), draw.randint(1, 64)
    data[start : start + length] = draw.randbytes(len(data[start : start + length]))
    file.write_bytes(bytes(data))


def cut(file: Path, draw: random.Random) -> None:
    """Cut the end."""
    data = file.read_bytes()
    file.write_bytes(data[: draw.randrange(len(data))])


def swap(file: Path, draw: random.Random) -> None:
    """Exchange two pages."""
    data = bytearray(file.read_bytes())
    first, second = (PAGE * draw.randrange(max(1, len(data) // PAGE)) for _ in range(2))
    data[first : first + PAGE], data[second : second + PAGE] = (
        data[second : second + PAGE], data[first : first + PAGE],
    )  # fmt: skip
    file.write_bytes(bytes(data))


def blank(file: Path, draw: random.Random) -> None:
    """A page of zeros, as a disk gives for what it never wrote."""
    data = bytearray(file.read_bytes())
    start = PAGE * draw.randrange(max(1, len(data) // PAGE))
    data[start : start + PAGE] = bytes(len(data[start : start + PAGE]))
    file.write_bytes(bytes(data))


def stale(file: Path, draw: random.Random) -> None:
    """A page as it was earlier."""
    earlier = file.parents[1] / "earlier" / "store.sqlite"
    data, old = bytearray(file.read_bytes()), earlier.read_bytes()
    start = PAGE * draw.randrange(len(old) // PAGE)
    data[start : start + PAGE] = old[start : start + PAGE]
    file.write_bytes(bytes(data))


def remove(file: Path, _: random.Random) -> None:
    """Delete it."""
    file.unlink()


FAULTS: dict[str, tuple[str, str, Fault]] = {
    **{f"store: {each.__name__}": ("finished", "", each) for each in (flip, scribble, cut, swap, blank, stale)},
    **{f"killed: store {each.__name__}": ("killed", "", each) for each in (flip, cut, swap, remove)},
    **{f"killed: log {each.__name__}": ("killed", "-wal", each) for each in (flip, scribble, cut, swap, blank, remove)},
    **{f"killed: account {each.__name__}": ("killed", "-made", each) for each in (flip, cut, remove)},
}  # fmt: skip


def prepare(folder: Path) -> Shown:
    """Make the stores that are damaged: one earlier, one finished, one as a kill leaves it; return what is right."""
    for name in ("earlier", "finished", "killed"):
        (folder / name).mkdir()
    path = folder / "finished" / "store.sqlite"
    with Store.open(path) as store:
        for number in range(RUNS // 2):
            store.put(run_of(number))
    shutil.copyfile(path, folder / "earlier" / "store.sqlite")
    with Store.open(path) as store:
        fill(store)
        for extra in ("", "-wal", "-made"):
            shutil.copyfile(f"{path}{extra}", folder / "killed" / f"store.sqlite{extra}")
    return shown(path)


def judge(folder: Path, name: str, seed: int, right: Shown) -> list[str]:
    """Do a fault; return what is wrong of: wrong, silent, traceback, stays."""
    kind, extra, fault = FAULTS[name]
    place = folder / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / kind, place)
    path = place / "store.sqlite"
    fault(path.with_name(path.name + extra), random.Random(seed))
    try:
        return _read(path, right) + _mended(path, right)
    except Exception:
        print(f"{name}, seed {seed}:\n{traceback.format_exc()}", file=sys.stderr)
        return ["traceback"]


def _read(path: Path, right: Shown) -> list[str]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            found = shown(path)
        except StoreError as error:
            return ["traceback"] if "\n" in str(error) else []
    said = any(issubclass(each.category, DamageWarning) for each in told)
    other = [key for key, value in found.items() if value and value != right.get(key)]
    wrong = [key for key in other if not _without_session(found[key], right.get(key), found)]
    lacking = [key for key, value in right.items() if not found.get(key) and value]
    return ["wrong"] * bool(wrong) + ["silent"] * bool((lacking or other) and not said)


def _without_session(value: Any, right: Any, found: Shown) -> bool:
    """Whether a run is right but for its machine, of a store whose sessions are lost."""
    if found["sessions"] or not isinstance(right, tuple):
        return False
    row = tuple(None if each == "a CPU" else each for each in right[0])
    return bool(value == (row, *right[1:]))


def _mended(path: Path, right: Shown) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        complete(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        return [] if shown(path) == right and not told else ["stays"]


def campaign(folder: Path, faults: int, seed: int) -> dict[str, Any]:
    """Do so many faults, of each kind in turn; return how many were of each kind and what was wrong."""
    right, found = prepare(folder), Counter[str]()
    wrong: list[str] = []
    names = list(FAULTS)
    for number in range(faults):
        name = names[number % len(names)]
        for what in judge(folder, name, seed + number, right):
            found[what] += 1
            wrong.append(f"{what}: {name}, seed {seed + number}")
    counts = {what: found[what] for what in ("wrong", "silent", "traceback", "stays")}
    return {"faults": faults, "kinds": len(names), "runs": RUNS, **counts, "which": wrong}


def main() -> int:
    """Run the campaign."""
    faults, seed = (int(text) for text in [*sys.argv[1:], *("1000", "0")[len(sys.argv) - 1 :]])
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), faults, seed)
    print(json.dumps(found | {"seconds": round(time.perf_counter() - started, 1)}, indent=1))
    return int(bool(found["which"]))


if __name__ == "__main__":
    raise SystemExit(main())
