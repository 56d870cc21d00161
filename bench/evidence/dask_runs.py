"""20,000 runs on three workers of Dask, one of which is killed every few seconds; and what a million would take.

    python bench/evidence/dask_runs.py [RUNS [OUT]] | tee bench/evidence/dask_runs.log

A scheduler and three workers are processes of their own here, as on a cluster. The same study is made three times: on
threads; on the workers with kills; on the workers without, for the figures. OUT is results/reference/dask_runs.json.

Overhead of tasks: of the time from a worker's first run to the end of its last, summed over the workers, the part
outside of chunks, which last from the start of their first run to the end of their last: what the network, the
scheduler, this process, packing and unpacking cost. What Python does between the runs of a chunk is told beside
that of threads, which do the same. On a machine that is busy otherwise the clock says little; beside it stands the CPU
time a task that worker processes use outside of the threads that make runs, as a share of three seconds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from distributed import Client  # noqa: E402

from mlpjit.cluster.crew import Crew, Handed  # noqa: E402
from mlpjit.cluster.parcels import unpacked  # noqa: E402
from mlpjit.cluster.running import sweep_on  # noqa: E402
from mlpjit.config.run_config import RunConfig  # noqa: E402
from mlpjit.study.pool import Runner, compiled_runner  # noqa: E402
from mlpjit.study.study import Study  # noqa: E402
from mlpjit.study.sweep import sweep  # noqa: E402
from mlpjit.training.cost import estimated_cost  # noqa: E402
from mlpjit.training.result import Control, Results  # noqa: E402

WORKERS, SETTINGS = 3, 40
OF_A_CALL = ("session", "started_at", "finished_at", "compile_seconds", "train_seconds", "evaluate_seconds")
USUAL_START_SECONDS = 4.0
MILLION, HUNDRED = 1_000_000, 100


def study_of(runs: int) -> Study:
    """Runs of about 14 ms on 178 samples, too wide for lanes: else a chunk of the most runs ends within a second.

    Two rules, depths and activations, five rates, many seeds; 30 evaluations kept of each.
    """
    return Study.from_table({
        "name": "dask_runs", "dataset": "wine", "width": 64, "epochs": 300, "evaluate_every": 10,
        "sweep": {"optimizer": ["sgd", "adam"], "depth": [2, 4], "activation": ["relu", "tanh"],
                  "learning_rate": [0.003, 0.01, 0.03, 0.1, 0.3], "seed": list(range(runs // SETTINGS))},
    })  # fmt: skip


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[Path, int, list[int]]]:
    """Start a scheduler and workers; yield the scheduler's file, its process, those of the nannies."""
    file = folder / "scheduler.json"
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(start("scheduler", "--scheduler-file", str(file), "--port", "0", "--dashboard-address", ":0"))
        while not file.exists():
            time.sleep(0.1)
        options = ("--scheduler-file", str(file), "--nthreads", "1", "--memory-limit", "0", "--dashboard-address", ":0")
        started += [start("worker", *options, "--local-directory", str(folder)) for _ in range(WORKERS)]
        yield file, started[0].pid, [process.pid for process in started[1:]]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def start(what: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a process of Dask's, quietly, and without its profiler as `docs/cluster.md` has it."""
    settings = {"DASK_LOGGING__DISTRIBUTED": "critical", "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", what, *options], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for listed in lists for child in listed.read_text().split()]


def workers_of(nanny: int) -> list[int]:
    """The worker processes of a nanny, not the helper that Python keeps beside them."""
    return [child for child in children(nanny) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def resident(process: int | str, kind: str = "VmRSS") -> float:
    """Megabytes of memory that a process holds; VmHWM: that it held at most, itself and not who started it."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


@dataclass
class Watch:
    """Samples the scheduler's memory, and kills a worker every few seconds where it is told to.

    `start_seconds` is what workers took to start: on a machine so busy that they take long, kills are as much rarer.
    """

    scheduler: int
    nannies: list[int]
    kills: bool
    start_seconds: float
    killed: int = 0
    memory: list[float] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread(target=self._sample, daemon=True).start()
        if self.kills:
            threading.Thread(target=self._kill, daemon=True).start()

    def _sample(self) -> None:
        while not self.ended.wait(0.5):
            self.memory.append(resident(self.scheduler))

    def _kill(self) -> None:
        draw = random.Random(7)
        slow = max(1.0, self.start_seconds / USUAL_START_SECONDS)
        while not self.ended.wait(slow * draw.uniform(3.0, 7.0)):
            for worker in workers_of(draw.choice(self.nannies)):
                os.kill(worker, signal.SIGKILL)
                self.killed += 1


@dataclass
class Ledger:
    """What went over the wire, and when workers were at it, by task.

    (address, began, ended, seconds in runs, runs, CPU seconds of the thread, of the process until then)
    """

    sent: int = 0
    received: int = 0
    tasks: list[tuple[str, float, float, float, int, float, float]] = field(default_factory=list)

    @contextmanager
    def kept(self) -> Iterator[Ledger]:
        """Look at everything that crews hand out and get back."""
        hand, arrived = Crew._submit, Crew.arrived

        def submit(crew: Crew, call: Any, *arguments: Any) -> Any:
            self.sent += sum(len(part) for part in arguments if isinstance(part, bytes))
            return hand(crew, call, *arguments)

        def arrive(crew: Crew) -> list[tuple[Handed, Any]]:
            found = arrived(crew)
            for handed, result in found:
                if isinstance(result, bytes):
                    self._note(handed, result)
            return found

        Crew._submit, Crew.arrived = submit, arrive  # type: ignore[method-assign]
        try:
            yield self
        finally:
            Crew._submit, Crew.arrived = hand, arrived  # type: ignore[method-assign]

    def _note(self, handed: Handed, result: bytes) -> None:
        answer = unpacked(result)
        self.received += len(result)
        times = [made.results.times for made in answer.made if made.results is not None]
        busy = sum(float((each[:, 1] - each[:, 0]).sum()) for each in times)
        count = sum(len(each) for each in times)
        span = (answer.began, answer.began + answer.seconds, busy, count)
        self.tasks.append((handed.member.address, *span, answer.cpu_seconds, answer.process_seconds))

    def by_worker(self) -> list[list[tuple[str, float, float, float, int, float, float]]]:
        """The tasks of each worker, in their order."""
        addresses = {task[0] for task in self.tasks}
        return [sorted(task for task in self.tasks if task[0] == address) for address in addresses]

    def cpu_outside(self) -> float:
        """CPU seconds a task of worker processes outside of the threads that make runs."""
        spent = sum(own[-1][6] - own[0][6] - sum(task[5] for task in own[1:]) for own in self.by_worker())
        return spent / max(1, sum(len(own) - 1 for own in self.by_worker()))

    def overhead(self) -> float:
        """The part of the workers' time that is outside of chunks."""
        spans = [(own[0][1], own[-1][2]) for own in self.by_worker()]
        return 1.0 - sum(task[2] - task[1] for task in self.tasks) / sum(ended - began for began, ended in spans)

    def inside(self) -> float:
        """The part of the chunks' time in which no run was being made."""
        return 1.0 - sum(task[3] for task in self.tasks) / sum(task[2] - task[1] for task in self.tasks)


def rows(directory: Path) -> dict[str, tuple[Any, ...]]:
    """Everything that a store holds of its runs but when they were made."""
    with closing(sqlite3.connect(directory / "store.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        found = map(dict, connection.execute("SELECT * FROM runs JOIN curves USING (run_id)"))
        return {row["run_id"]: tuple(row[name] for name in row if name not in OF_A_CALL) for row in found}


def on_cluster(study: Study, directory: Path, kills: bool) -> dict[str, Any]:
    """Make the study on workers; return what was seen."""
    told: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file, scheduler, nannies = stack.enter_context(cluster(folder))
        ledger = stack.enter_context(Ledger().kept())
        start_seconds = registered(file)
        before = resident(scheduler)
        watch, cpu, began = Watch(scheduler, nannies, kills, start_seconds), time.process_time(), time.monotonic()
        summary = sweep_on(str(file), study, directory, progress, warn=told.append)
        wall, cpu = time.monotonic() - began, time.process_time() - cpu
        watch.ended.set()
    return {
        "runs": summary.ran, "states": summary.states, "killed": watch.killed, "told": told,
        "start_seconds": start_seconds, "wall_seconds": wall,
        "client_cpu_ms_per_run": 1e3 * cpu / max(1, summary.ran), "tasks": len(ledger.tasks),
        "task_seconds": sum(t[2] - t[1] for t in ledger.tasks) / len(ledger.tasks),
        "run_ms": 1e3 * sum(t[3] for t in ledger.tasks) / sum(t[4] for t in ledger.tasks),
        "sent_bytes_per_run": ledger.sent / summary.ran, "received_bytes_per_run": ledger.received / summary.ran,
        "overhead": ledger.overhead(), "cpu_outside_ms_per_task": 1e3 * ledger.cpu_outside(),
        "between_runs": ledger.inside(),
        "scheduler_mb": [before, max(watch.memory), watch.memory[-1]],
        "scheduler_growth_mb": max(watch.memory) - before,
        "store_bytes_per_run": (directory / "store.sqlite").stat().st_size / summary.ran,
        "load": os.getloadavg()[1],
    }  # fmt: skip


def registered(file: Path) -> float:
    """Wait until every worker has registered; return the seconds that took."""
    began = time.monotonic()
    with Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(WORKERS)
    return time.monotonic() - began


def progress(shown: Any) -> None:
    """Say on standard error how far it is."""
    if (shown.done and shown.done == shown.total) or int(shown.elapsed_seconds * 10) % 100 == 0:
        print(f"{shown.done} of {shown.total}, {shown.rate:.0f}/s", file=sys.stderr)


def tell(name: str, seen: dict[str, Any]) -> None:
    """Print what a run of the study on workers showed."""
    (low, high, last), outside = seen["scheduler_mb"], seen["cpu_outside_ms_per_task"]
    made = f"{name}: {seen['runs']:,} runs made in {seen['wall_seconds']:.0f} s, {seen['stored']:,} stored"
    lines = [
        f"{made}, bits as on threads: {seen['same_bits']}",
        f"workers took {seen['start_seconds']:.0f} s to start; {seen['killed']} killed",
        f"told: {'; '.join(seen['told']) or 'nothing'}",
        f"{seen['tasks']:,} tasks of {seen['task_seconds']:.2f} s, runs of {seen['run_ms']:.2f} ms",
        f"scheduler {low:.0f} MB before, {high:.0f} at most, {last:.0f} at last",
        f"overhead of tasks {seen['overhead']:.1%} of workers' time",
        f"CPU outside of runs {outside:.0f} ms a task, {outside / 3e3:.1%} of three seconds",
        f"between the runs of a chunk {seen['between_runs']:.1%} of its time",
        f"wire: {seen['sent_bytes_per_run']:.0f} bytes a run sent, {seen['received_bytes_per_run']:,.0f} received",
        f"this process: {seen['client_cpu_ms_per_run']:.2f} ms of CPU a run",
        f"store {seen['store_bytes_per_run']:,.0f} bytes a run",
        f"load average {seen['load']:.1f} on {os.cpu_count()} cores",
    ]
    print("\n  ".join(lines), flush=True)


def on_threads(study: Study, directory: Path) -> None:
    """Make the study on two threads, and print what Python takes between the runs of a call there."""
    here, spent = compiled_runner(), [0.0, 0.0]

    def execute(configs: Sequence[RunConfig], control: Control) -> Results:
        began = time.monotonic()
        made = here.execute(configs, control)
        spent[0] += time.monotonic() - began
        spent[1] += float((made.times[:, 1] - made.times[:, 0]).sum())
        return made

    runner = Runner(execute, here.prepare, here.measure_step, here.most)
    summary = sweep(study, directory, 2, progress, runner)
    between = 1.0 - spent[1] / spent[0]
    print(f"threads: {summary.ran:,} runs in {summary.wall_seconds:.0f} s, between the runs of a call {between:.1%}")


def plan(seen: dict[str, Any]) -> dict[str, float]:
    """What a million runs of 100 ms on a hundred workers would take, by what was seen."""
    tasks, task = MILLION * 0.1 / 3.0, (seen["sent_bytes_per_run"] + seen["received_bytes_per_run"]) * 30
    minutes = MILLION * 0.1 / HUNDRED / (1.0 - seen["cpu_outside_ms_per_task"] / 3e3) / 60
    return {
        "tasks": tasks, "bytes_per_task": task, "store_gb": MILLION * seen["store_bytes_per_run"] / 1e9,
        "wire_gb": tasks * task / 1e9, "client_cpu_minutes": MILLION * seen["client_cpu_ms_per_run"] / 6e4,
        "minutes": minutes, "scheduler_mb": seen["scheduler_mb"][1],
    }  # fmt: skip


def main() -> None:
    """Make the study three times and say what was seen."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "results/reference/dask_runs.json"
    study = study_of(runs)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        on_threads(study, place / "threads")
        expected = rows(place / "threads")
        seen: dict[str, Any] = {}
        for name, kills in (("with kills", True), ("without", False)):
            seen[name] = on_cluster(study, place / name, kills)
            found = rows(place / name)
            seen[name] |= {"stored": len(found), "same_bits": found == expected}
            tell(name, seen[name])
    seen["a million runs of 100 ms on a hundred workers"] = million = plan(seen["without"])
    seen["planning a million runs"] = planned = json.loads(
        subprocess.run([sys.executable, __file__, "plan"], capture_output=True, check=True, text=True).stdout
    )
    print("planning a million runs:", ", ".join(f"{k} {v:,.1f}" for k, v in planned.items()))
    print("a million runs of 100 ms on a hundred workers:", ", ".join(f"{k} {v:,.1f}" for k, v in million.items()))
    out.write_text(json.dumps(seen, indent=1) + "\n")


def planning() -> dict[str, float]:
    """What this process takes to plan a million runs."""
    began = time.process_time()
    runs = study_of(MILLION).runs
    runs.numbers(estimated_cost)
    return {"runs": len(runs), "cpu_seconds": time.process_time() - began, "peak_mb": resident("self", "VmHWM")}


if __name__ == "__main__":
    if sys.argv[1:] == ["plan"]:
        print(json.dumps(planning()))
    else:
        main()
