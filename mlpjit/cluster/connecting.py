"""Where the workers are: a scheduler that runs already, or processes here."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from mlpjit.errors import ConfigError
from mlpjit.host import regular_file
from mlpjit.study.pool import thread_count

try:
    import dask
    from distributed import Client, LocalCluster, Security
    from distributed.comm import connect
except ImportError:
    raise ConfigError("--dask needs dask.distributed: pip install 'mlpjit[cluster]'") from None

CONNECT_SECONDS = 10.0
LOCAL = re.compile(r"local:(\d+)")


def workers_here(address: str) -> int | None:
    """Return how many processes an address asks for on this machine, None where it is that of a scheduler."""
    found = LOCAL.fullmatch(address)
    return thread_count(int(found[1])) if found else None


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to the scheduler at an address, by the file that it wrote, or to processes made here (`local:4`).

    Raises ConfigError where none answers.
    """
    for name in list(logging.root.manager.loggerDict):  # whose levels are their own; what matters is told by the crew
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    if (workers := workers_here(address)) is not None:
        with _local(workers) as client:
            yield client
        return
    try:
        where = _scheduler(address)
        asyncio.run(_knock(where))
        client = Client(where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ConfigError(f"--dask {address}: no scheduler answers: {error}") from None
    with client:
        yield client


def _scheduler(address: str) -> str:
    """Return an address as it is, or the one in the file that a scheduler wrote."""
    if not address.endswith(".json"):
        return address
    try:
        found = json.loads(regular_file(address).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"--dask {address}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"--dask {address}: cannot be read: {error.strerror or error}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("address"), str):
        raise ConfigError(f"--dask {address}: not a file that a scheduler wrote: it has no address")
    return str(found["address"])


async def _knock(address: str) -> None:
    """Connect and leave again: a Dask client that cannot takes 20 s to go, and prints a traceback."""
    comm = await connect(address, timeout=CONNECT_SECONDS, **Security().get_connection_args("client"))
    await comm.close()


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
    quiet = {"logging.distributed": "critical", "distributed.worker.profile.enabled": False}
    with dask.config.set(quiet):
        return LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )  # fmt: skip
