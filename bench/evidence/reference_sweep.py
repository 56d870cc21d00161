"""The reference sweep timed whole: mlpjit beside JAX and PyTorch, two processes each, from empty caches and warm.

    pip install -e ".[peers]"
    python bench/evidence/reference_sweep.py                                 # all sides: about 5 minutes on two cores
    python bench/evidence/reference_sweep.py --sides mlpjit,jax --rounds 3

1,152 runs (reference_sweep.toml beside this file). Each side is timed from the start of its processes to the end of
the last. mlpjit: `mlpjit run reference_sweep.toml --no-report`, a thread a core, into a new store; it also keeps its
per-layer records. JAX: 48 programs of 24 runs, a process a core, with its persistent compilation cache; side by side
(vmap) and one behind the other in the same program (map). PyTorch: eager, a process a core; it has no cache to warm.
Peers are given data, first weights and orders by mlpjit, and spared making them, so that every run of theirs is
one of ours; the final validation losses are compared run by run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence import sweep_task
from mlpjit.errors import MlpjitError
from mlpjit.host import available_threads, host
from mlpjit.store import Store

STUDY = Path(__file__).with_name("reference_sweep.toml")
ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "bench" / "reference_sweep.json"
SIDES = {"mlpjit": "", "jax-vmap": "jax", "jax-map": "jax", "torch": "torch"}
PERSISTENT = ("mlpjit", "jax-vmap", "jax-map")  # sides with a cache that a first process fills for the next
# Two runs that differ by rounding alone may end in different places where training is unstable: most must agree.
CLOSE, LEAST_SHARE = 0.05, 0.75


def main() -> int:
    options = parsed()
    sides = chosen(options.sides)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None] * available_threads()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep_task.write_inputs(folder / "inputs.npz")
        times, busy = measured(sides, options, folder, cores)
        found = report(times, busy, {side: losses(side, folder, len(cores)) for side in sides}, len(cores))
    text = json.dumps(found, indent=2)
    print(text)
    if str(options.out) != "-":
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    tell(found)
    return 0 if all(each["agree"] for each in found["same_runs"].values()) else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default=",".join(SIDES), help=f"of {', '.join(SIDES)}; jax means both of JAX's")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is timed, in turns")
    parser.add_argument("--cold", action="store_true", help="from empty caches only")
    parser.add_argument("--warm", action="store_true", help="with warm caches only (filled before the clock starts)")
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON file; - prints only")
    return parser.parse_args()


def chosen(given: str) -> list[str]:
    names = given.replace("jax-", "JAX-").replace("jax", "jax-vmap,jax-map").replace("JAX-", "jax-").split(",")
    if unknown := [name for name in names if name not in SIDES]:
        raise SystemExit(f"unknown side {unknown[0]!r}: one of {', '.join(SIDES)}")
    here = [name for name in dict.fromkeys(names) if not SIDES[name] or find_spec(SIDES[name])]
    for name in names:
        if name not in here:
            print(f"{name} is left out: {SIDES[name]} is not installed", file=sys.stderr)
    return here


Times = dict[str, list[float]]


def measured(sides: list[str], options: argparse.Namespace, folder: Path, cores: list[Any]) -> tuple[Times, Times]:
    """Seconds on the wall and of cores, by "side cold" and "side warm", a number a round."""
    times: Times = {}
    busy: Times = {}
    for place in range(options.rounds):
        for side in sides:
            shutil.rmtree(folder / f"cache-{side}", ignore_errors=True)
            kinds = ["cold"] if side not in PERSISTENT else ["cold", "warm"]
            for kind in kinds:
                used = core_seconds()
                spent = timed(side, folder, cores)
                used = core_seconds() - used
                line = f"round {place + 1}, {side}, {kind} caches: {spent:.1f} s, {used:.1f} s of cores"
                print(line, file=sys.stderr, flush=True)
                if not (kind == "cold" and options.warm and len(kinds) > 1):
                    times.setdefault(f"{side} {kind}", []).append(spent)
                    busy.setdefault(f"{side} {kind}", []).append(used)
                if options.cold and not options.warm:
                    break
    return times, busy


def core_seconds() -> float:
    """Seconds of cores that all ended child processes and theirs have used: what other work cannot lengthen much."""
    used = os.times()
    return used.children_user + used.children_system


def timed(side: str, folder: Path, cores: list[Any]) -> float:
    """Wall-clock seconds of all processes of a side, start to end."""
    if side == "mlpjit":
        shutil.rmtree(folder / "store", ignore_errors=True)
        commands = [["-m", "mlpjit.cli", "run", str(STUDY), "--no-report", "--out", str(folder / "store")]]
    else:
        module, _, how = side.partition("-")
        inputs, parts = str(folder / "inputs.npz"), str(len(cores))
        commands = [
            [
                "-m",
                f"bench.evidence.{module}_sweep",
                inputs,
                str(result(side, folder, part)),
                str(part),
                parts,
                how,
            ]
            for part in range(len(cores))
        ]
    environment = surroundings(side, folder)
    start = time.perf_counter()
    started = [
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for command in commands
    ]
    for process, core in zip(started, cores, strict=False):
        if side != "mlpjit" and core is not None:
            os.sched_setaffinity(process.pid, {core})
    errors = [process.communicate()[1] for process in started]
    spent = time.perf_counter() - start
    for process, error in zip(started, errors, strict=True):
        if process.returncode:
            raise SystemExit(f"{side} failed:\n{error.decode(errors='replace')[-2000:]}")
    return spent


def surroundings(side: str, folder: Path) -> dict[str, str]:
    """One thread a process for peers; caches in the folder; byte code may be kept, as it is by default."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cache = str(folder / f"cache-{side}")
    if side == "mlpjit":
        return {**kept, "MLPJIT_CACHE_DIR": cache}
    return {
        **kept, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_COMPILATION_CACHE_DIR": cache,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }  # fmt: skip


def result(side: str, folder: Path, part: int) -> Path:
    return folder / f"{side}-{part}.npz"


def losses(side: str, folder: Path, parts: int) -> dict[tuple[Any, ...], float]:
    """The final validation loss of every run; NaN where it diverged."""
    if side == "mlpjit":
        columns = ("optimizer", "activation", "depth", "init", "learning_rate", "seed", "final_validation_loss")
        with Store.open(folder / "store", readonly=True) as store:
            rows = list(store.rows(columns))
        names = {row[0]: row[0].split("(")[0].split(" ")[0] for row in rows}
        return {(names[o], *rest): math.nan if loss is None else loss for o, *rest, loss in rows}
    found = {}
    for part in range(parts):
        with np.load(result(side, folder, part)) as held:
            for program in sweep_task.programs(part, parts):
                curves = held[f"{program.key}-validation_loss"]
                for (init, rate, seed), curve in zip(sweep_task.LANES, curves, strict=True):
                    key = (program.optimizer, program.activation, program.depth, init, rate, seed)
                    found[key] = float(curve[-1])
    return found


def compared(ours: dict[tuple[Any, ...], float], theirs: dict[tuple[Any, ...], float]) -> dict[str, Any]:
    """How many runs end with the same validation loss, to 5 % or both lost, and the medians over all runs."""
    if ours.keys() != theirs.keys():
        raise SystemExit(f"not the same runs: {sorted(ours.keys() ^ theirs.keys(), key=str)[:3]} ...")
    pairs = np.array([(ours[key], theirs[key]) for key in ours])
    close = np.isclose(pairs[:, 0], pairs[:, 1], rtol=CLOSE, atol=1e-3) | ~np.isfinite(pairs).any(axis=1)
    both = pairs[np.isfinite(pairs).all(axis=1)]
    return {
        "runs": len(pairs), "share_within_5_percent": float(close.mean()),
        "median_loss_ours": float(np.median(both[:, 0])), "median_loss_theirs": float(np.median(both[:, 1])),
        "diverged_ours": int((~np.isfinite(pairs[:, 0])).sum()),
        "diverged_theirs": int((~np.isfinite(pairs[:, 1])).sum()),
        "agree": bool(close.mean() >= LEAST_SHARE),
    }  # fmt: skip


def report(times: Times, busy: Times, found: dict[str, Any], threads: int) -> dict[str, Any]:
    from importlib.metadata import version

    packages = {name: version(name) for side in found if (name := SIDES[side])}
    same = {side: compared(found["mlpjit"], found[side]) for side in found if side != "mlpjit" and "mlpjit" in found}
    return {
        "runs": len(next(iter(found.values()))), "host": host(threads), "peers": packages, "seconds": times,
        "core_seconds": busy, "ratios": ratios(times, list(found)), "core_ratios": ratios(busy, list(found)),
        "load_at_the_end": os.getloadavg()[0], "same_runs": same,
    }  # fmt: skip


def ratios(times: Times, sides: list[str]) -> dict[str, float]:
    """How many times longer than mlpjit each side takes, medians over rounds."""
    seconds = {name: statistics.median(values) for name, values in times.items()}
    found = {}
    for kind in ("cold", "warm"):
        base = seconds.get(f"mlpjit {kind}")
        for side in sides if base else ():
            theirs = seconds.get(f"{side} {kind}", seconds.get(f"{side} cold") if side not in PERSISTENT else None)
            if side != "mlpjit" and theirs:
                found[f"{side}, {kind} caches"] = theirs / base
    return found


def tell(found: dict[str, Any]) -> None:
    for name, ratio in found["ratios"].items():
        print(f"mlpjit is {ratio:.2f} times as fast as {name}", file=sys.stderr)
    for name, same in found["same_runs"].items():
        share = same["share_within_5_percent"]
        print(f"{name}: {share:.1%} of {same['runs']} runs end within 5 % of our validation loss", file=sys.stderr)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except MlpjitError as error:
        raise SystemExit(f"error: {error}") from None
