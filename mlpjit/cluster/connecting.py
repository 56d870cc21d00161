"""Where the workers are: a scheduler that runs already, or processes here."""

from __future__ import annotations

import logging
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from mlpjit.errors import ConfigError
from mlpjit.study.pool import thread_count

try:
    import dask
    from distributed import Client, LocalCluster
except ImportError:
    raise ConfigError("--dask needs dask.distributed: pip install 'mlpjit[cluster]'") from None

CONNECT_SECONDS = 10.0
LOCAL = re.compile(r"local:(\d+)")


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to the scheduler at an address, by the file that it wrote, or to processes made here (`local:4`).

    Raises ConfigError where none answers.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if found := LOCAL.fullmatch(address):
        with _local(thread_count(int(found[1]))) as client:
            yield client
        return
    is_file = address.endswith(".json")
    if is_file and not Path(address).is_file():  # which Dask would wait for without end
        raise ConfigError(f"--dask {address}: there is no such file")
    try:
        where = {"scheduler_file": address} if is_file else {"address": address}
        client = Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"--dask {address}: no scheduler answers: {error}") from None
    with client:
        yield client


@contextmanager
def _local(workers: int) -> Iterator[Client]:
    """Make a cluster of processes with one thread each, which take as much memory as there is."""
    starter = ThreadPoolExecutor(1, initializer=_deafen)
    try:
        cluster = starter.submit(_cluster, workers).result()
    finally:
        starter.shutdown(wait=False)
    with Client(cluster, set_as_default=False) as client:
        try:
            yield client
        except KeyboardInterrupt:  # in a hurry: who ends this process ends the others with it
            threading.Thread(target=cluster.close, daemon=True).start()
            raise
        except BaseException:
            cluster.close()
            raise
    cluster.close()


def _deafen() -> None:
    """Keep Ctrl-C from what this thread starts: a terminal sends it to every process, and this one alone answers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _cluster(workers: int) -> LocalCluster:
    with dask.config.set({"logging.distributed": "critical"}):
        return LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
