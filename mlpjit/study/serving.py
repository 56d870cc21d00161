"""What happens in a worker process: it loads users' files, serves calls, and ends when the sweep's process does."""

from __future__ import annotations

import ctypes
import mmap
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from mlpjit.catalogue.registries import REGISTRIES
from mlpjit.config.run_config import RunConfig
from mlpjit.errors import ConfigError, MlpjitError
from mlpjit.extending import files as own_files
from mlpjit.extending.files import Entry
from mlpjit.extending.told import Told, tell
from mlpjit.kernels.tables import CONTROL
from mlpjit.training.result import Control, Results

if TYPE_CHECKING:
    from mlpjit.models.learned import Learned

WORDS = len(CONTROL) + 1  # of the shared memory: the runs' control, then whether the first of them has begun
PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.5
# A user's file: its path, the SHA-256 of its text, and the source hashes by entry of what was planned with.
File = tuple[str, str, Mapping[Entry, str]]


class WorkerError(MlpjitError):
    """An error that a worker met which no check foresees."""


def main() -> None:
    """Serve calls until the other side closes the pipe."""
    requests, answers = _pipes()
    shared, parent = pickle.load(requests)
    _end_with(parent)
    with open(shared, "r+b") as file:
        words = np.frombuffer(mmap.mmap(file.fileno(), 0), np.int64)
    calls, process = _calls(words), os.getpid()
    _answer(answers, process, lambda: None)
    try:
        while True:
            name, arguments = pickle.load(requests)
            _answer(answers, process, calls[name], *arguments)
    except BaseException:  # the pipe's end, or what the user's code has broken; it may have left something running
        os._exit(1)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes away from the user's code, which reads nothing and prints to standard error."""
    requests, answers = (os.fdopen(os.dup(number), mode) for number, mode in ((0, "rb"), (1, "wb")))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, answers


def _end_with(parent: int) -> None:
    """Have this process end when its parent does, whatever it is doing then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def _calls(words: np.ndarray) -> dict[str, Callable[..., Any]]:
    control, begun = Control(), words[len(CONTROL) :]
    control.array = words[: len(CONTROL)]
    return {
        "read": lambda path: _read(Path(path)),
        "load": _load_all,
        "execute": lambda configs: _execute(configs, control, begun),
        "learn": lambda config: _learn(config, control, begun),
        "prepare": _prepare,
        "measure_step": _measure_step,
        "check": _check,
    }


def _execute(configs: Sequence[RunConfig], control: Control, begun: np.ndarray) -> Results:
    from mlpjit.training import chunk, warm
    from mlpjit.training.values import shared, values_of

    warm.prepare_once(shared(values_of(configs[0])), configs[0])  # which takes nothing of a run's time limit
    begun[0] = 1
    return chunk.make(configs, control)


def _learn(config: RunConfig, control: Control, begun: np.ndarray) -> Learned:
    from mlpjit.models.learned import learn
    from mlpjit.training import warm

    warm.prepare([config])
    begun[0] = 1
    return learn(config, control)


def _prepare(configs: Sequence[RunConfig]) -> float:
    from mlpjit.training import warm

    return warm.prepare(configs)


def _measure_step(config: RunConfig, repeats: int) -> dict[str, Any]:
    from mlpjit.training import run

    return run.measure_step(config, repeats)


def _check(entries: Sequence[Entry], dtypes: Sequence[str]) -> list[str]:
    from mlpjit.interactive import checks

    return checks.problems(entries, dtypes)


def _answer(answers: IO[bytes], process: int, call: Callable[..., Any], *arguments: Any) -> None:
    answer: tuple[Any, BaseException | None]
    try:
        answer = call(*arguments), None
    except BaseException as error:
        answer = None, _plain(error)
    if os.getpid() != process:
        os._exit(0)  # the user's code has forked
    answers.write(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
    answers.flush()


def _plain(error: BaseException) -> Exception:
    """Return an error that a pickle can carry."""
    if isinstance(error, ConfigError):
        return type(error)(error.problems)
    return WorkerError(" ".join(f"{type(error).__name__}: {error}".split()))


def _read(path: Path) -> Told:
    """Load a file and return what is to be told of it; ConfigError where only the file's own code understands that."""
    file = own_files.load(path)
    try:
        told = tell(file)
    except ConfigError as error:
        raise ConfigError([f"{path.name}: {line}" for line in error.problems]) from None
    try:
        plain = own_files.MODULE.encode() not in pickle.dumps(told)
    except Exception:
        plain = False
    if not plain:
        raise ConfigError(f"{path.name}: SPACES or an option holds an object of the file's own: need plain values")
    return told


def _load_all(files: Sequence[File]) -> None:
    for path, digest, hashes in files:
        loaded = own_files.load(Path(path))
        same = loaded.digest == digest and all(
            name in REGISTRIES[kind] and REGISTRIES[kind][name].source_hash() == known
            for (kind, name), known in hashes.items()
        )
        if not same:
            raise ConfigError(f"{path}: changed while the study ran, or a module that it imports did")
