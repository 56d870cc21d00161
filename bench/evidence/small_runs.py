"""Many small runs timed whole: mlpjit beside earlier revisions of itself and beside JAX, process by process, in turns.

    python bench/evidence/small_runs.py --jax /path/to/python --against 91f9474   # everything: an hour on two cores
    python bench/evidence/small_runs.py --cases one_shape_3200 --threads 1 --out -     # this tree alone
    python bench/evidence/small_table.py                                               # the README's table

Cases. one_shape: two moons, 2 x 8 tanh, Adam, two epochs of batch 64 (22 steps), 40 rates of 1, 80 or 800 seeds. mixed:
5 optimizers, 4 activations, 2 initializers, depths 1 to 4, 5 rates, 4 seeds: 3,200 runs in 80 shapes.
reference_sweep: the 1,152 runs of reference_sweep.toml. quick: `mlpjit run quick`, with its report, from an empty cache
and with a full one.

Each is timed from the start of its processes to the end of the last: seconds on the wall, and of cores. mlpjit: a
process with one thread and one with two, its cache filled before by a process that is not counted. JAX (the Python of
--jax; jax_sweep.py and small_jax.py): a process a core, `vmap` of all that one program has and `lax.map` of `vmap`,
with an empty persistent compilation cache (first round only) and with what that left. It is given data, first weights
and orders, and spared making them; how far its final validation losses are from ours is told.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.evidence import small_cases, sweep_task
from bench.evidence.small_cases import CASES
from mlpjit.errors import MlpjitError
from mlpjit.host import host

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "reference" / "small_runs.json"
NAMES = (*CASES, "reference_sweep", "quick")
WAYS = ("vmap", "map")
MOST_OF_OTHERS = 4000  # runs: what an earlier revision needs for more follows from these


class Side(NamedTuple):
    """Who makes the runs of a case. threads: of mlpjit; how: the form of JAX. kind: warm or cold caches."""

    name: str
    kind: str = "warm"
    threads: int = 0
    how: str = ""

    def __str__(self) -> str:
        number = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.threads else ""
        return f"{self.name} {self.how}".rstrip() + f"{number}, {self.kind}"


def main() -> int:
    options = parsed()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(options, Path(name))
        bench.prepare()
        for place in range(options.rounds):
            for case, side in bench.turns(place):
                bench.take(case, side)
                save(bench.report(), options.out)
        print(json.dumps(bench.report(), indent=1))
    return 0


def save(found: dict[str, Any], path: Path) -> None:
    """Write what there is so far: the whole takes long."""
    if str(path) != "-":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=lambda text: text.split(","), default=list(NAMES), help=", ".join(NAMES))
    parser.add_argument("--against", type=lambda text: text.split(","), default=[], help="git revisions")
    parser.add_argument("--jax", metavar="PYTHON", default="", help="a Python that has JAX; without it JAX is left out")
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS), help="forms of JAX")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=lambda text: [int(each) for each in text.split(",")], default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULT, help="JSON file; - prints only")
    options = parser.parse_args()
    if unknown := [name for name in options.cases if name not in NAMES]:
        parser.error(f"unknown case {unknown[0]!r}: one of {', '.join(NAMES)}")
    return options


class Bench:
    """Sources, studies, inputs and caches in a folder, and what each side took."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.sources = {"mlpjit": ROOT, **{name: checked_out(name, folder) for name in options.against}}
        self.cores = sorted(os.sched_getaffinity(0))
        self.taken: dict[str, dict[str, dict[str, list[float]]]] = {name: {} for name in options.cases}
        self.same_runs: dict[str, dict[str, Any]] = {}

    def prepare(self) -> None:
        """Write studies and inputs; fill the caches of kernels."""
        for name in self.options.cases:
            if name in CASES:
                self.path(f"{name}.toml").write_text(CASES[name].study(), encoding="utf-8")
                small_cases.write_inputs(CASES[name], self.path(f"{name}.npz"))
        if "reference_sweep" in self.options.cases:
            shutil.copy(Path(__file__).with_name("reference_sweep.toml"), self.folder)
            sweep_task.write_inputs(self.path("reference_sweep.npz"))
        for name, case in product(self.sources, self.options.cases):
            if case in CASES:
                self.path("warm.toml").write_text(replace(CASES[case], seeds=1).study(), encoding="utf-8")
            if case != "quick":
                study = self.path("warm.toml" if case in CASES else f"{case}.toml")
                command = [sys.executable, "-m", "mlpjit.cli", "warm", str(study)]
                timed([command], self.folder, self.surroundings(Side(name), self.cache(case, Side(name))))

    def path(self, name: str) -> Path:
        return self.folder / name

    def turns(self, place: int) -> Iterator[tuple[str, Side]]:
        """Yield what is timed in a round."""
        for case in self.options.cases:
            for name in self.sources:
                if case == "quick":
                    yield from ((case, Side(name, kind, len(self.cores))) for kind in ("cold", "warm"))
                elif name == "mlpjit" or case not in CASES or CASES[case].runs < MOST_OF_OTHERS:
                    yield from ((case, Side(name, threads=threads)) for threads in self.options.threads)
            if self.options.jax and case != "quick":
                for how in self.options.ways:
                    kinds = ("cold", "warm") if place == 0 else ("warm",)
                    yield from ((case, Side("JAX", kind, how=how)) for kind in kinds)

    def take(self, case: str, side: Side) -> None:
        wall, cores = self.run(case, side)
        found = self.taken[case].setdefault(str(side), {"wall_seconds": [], "core_seconds": []})
        found["wall_seconds"].append(wall)
        found["core_seconds"].append(cores)
        print(f"{case}: {side}: {cores:.2f} s of cores, {wall:.2f} s", file=sys.stderr, flush=True)
        if side.name == "JAX" and case in CASES:
            theirs = small_cases.losses_of_peer(CASES[case], self.outputs(case, side))
            self.same_runs.setdefault(case, {})[side.how] = small_cases.compared(self.losses(case), theirs)

    def losses(self, case: str) -> small_cases.Losses:
        return small_cases.losses_of_store(self.path(f"store-mlpjit-{case}"))

    def run(self, case: str, side: Side) -> tuple[float, float]:
        """Return the seconds on the wall and of cores of all processes of a side."""
        cache = self.cache(case, side)
        if side.kind == "cold":
            shutil.rmtree(cache, ignore_errors=True)
        if side.name == "JAX":
            return timed(self.jax(case, side), self.folder, jax_surroundings(cache), self.cores)
        return timed([self.mlpjit(case, side)], self.folder, self.surroundings(side, cache))

    def cache(self, case: str, side: Side) -> Path:
        own = case if side.name == "JAX" or case == "quick" else "all"
        return self.path(f"cache-{side.name.replace('/', '-')}{side.how}-{own}")

    def surroundings(self, side: Side, cache: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.sources[side.name]), "MLPJIT_CACHE_DIR": str(cache)}

    def mlpjit(self, case: str, side: Side) -> list[str]:
        store = self.path(f"store-{side.name.replace('/', '-')}-{case}")
        shutil.rmtree(store, ignore_errors=True)
        study = [case] if case == "quick" else [str(self.path(f"{case}.toml")), "--no-report"]
        return [sys.executable, "-m", "mlpjit.cli", "run", *study, "--out", str(store), "--threads", str(side.threads)]

    def jax(self, case: str, side: Side) -> list[list[str]]:
        module = "small_jax" if case in CASES else "jax_sweep"
        command = [self.options.jax, "-m", f"bench.evidence.{module}", str(self.path(f"{case}.npz"))]
        outputs = self.outputs(case, side)
        return [[*command, str(out), str(part), str(len(outputs)), side.how] for part, out in enumerate(outputs)]

    def outputs(self, case: str, side: Side) -> list[Path]:
        return [self.path(f"{case}-{side.how}-{part}.npz") for part in range(len(self.cores))]

    def report(self) -> dict[str, Any]:
        sides = {case: {name: medians(taken) for name, taken in found.items()} for case, found in self.taken.items()}
        return {
            "runs": {name: runs_of(name) for name in self.taken}, "host": host(len(self.cores)),
            "jax": jax_version(self.options.jax), "rounds": self.options.rounds, "load_at_the_end": os.getloadavg()[0],
            "medians": sides, "seconds": self.taken, "same_runs": self.same_runs,
        }  # fmt: skip


def runs_of(name: str) -> int:
    return CASES[name].runs if name in CASES else {"reference_sweep": 1152, "quick": 1960}[name]


def medians(taken: dict[str, list[float]]) -> dict[str, float]:
    return {kind: statistics.median(values) for kind, values in taken.items()}


def checked_out(revision: str, folder: Path) -> Path:
    """The sources of a revision, in a folder of their own."""
    made = subprocess.run(["git", "-C", str(ROOT), "archive", revision], capture_output=True, check=True).stdout
    target = folder / f"source-{revision.replace('/', '-')}"
    with tarfile.open(fileobj=BytesIO(made)) as packed:
        packed.extractall(target, filter="data")
    return target


def jax_surroundings(cache: Path) -> dict[str, str]:
    """One thread a process; what is compiled is kept, however small."""
    return {
        **os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }  # fmt: skip


def jax_version(python: str) -> str | None:
    if not python:
        return None
    code = "import importlib.metadata; print(importlib.metadata.version('jax'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def timed(
    commands: list[list[str]], folder: Path, surroundings: dict[str, str], cores: list[int] | None = None
) -> tuple[float, float]:
    """Return the seconds on the wall and of cores of all processes, start to end; each on a core of its own."""
    before, start = os.times(), time.perf_counter()
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder, "env": surroundings}
    started = [subprocess.Popen(command, **pipes) for command in commands]  # type: ignore[call-overload]
    for process, core in zip(started, cores or (), strict=False):
        os.sched_setaffinity(process.pid, {core})
    errors = [process.communicate()[1] for process in started]
    wall, after = time.perf_counter() - start, os.times()
    for process, error in zip(started, errors, strict=True):
        if process.returncode:
            raise SystemExit(f"{' '.join(process.args)} failed:\n{error.decode(errors='replace')[-2000:]}")
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except MlpjitError as error:
        raise SystemExit(f"error: {error}") from None
