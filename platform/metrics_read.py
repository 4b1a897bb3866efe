"""Reads what the instruments of `metrics.py` have counted, here or in all processes that share a folder."""

import fcntl
import logging
import os
import struct
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.management.base import CommandError
from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest, start_http_server
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from assay.platform import metrics

logger = logging.getLogger(__name__)

LOCK = "reading.lock"
ENDED = "ended"
"""In the place of a process's id: the file that holds the counts of those that have ended."""

if metrics.FOLDER is None:
    ProcessCollector(registry=metrics.registry)  # memory, CPU, open files: of one process, so only where one is read


class Shared(Collector):
    """The counts of all processes that share a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def collect(self) -> Iterable[Metric]:
        with _alone(self.folder):
            bury_the_dead(self.folder)
            read = MultiProcessCollector(None, path=str(self.folder)).collect()  # type: ignore[no-untyped-call]
            return list(read)


def counted() -> Collector:
    """Return what can be read here: of all processes that share the folder, or of this one."""
    return metrics.registry if metrics.FOLDER is None else Shared(metrics.FOLDER)


def exposition(*more: Collector) -> bytes:
    """Return the counts, and what ``more`` finds at this moment, in Prometheus's text format."""
    asked = CollectorRegistry()
    for collector in (counted(), *more):
        asked.register(collector)
    return generate_latest(asked)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics-port", type=int, help="answer Prometheus there, with no sign-in")
    parser.add_argument("--metrics-host", default="127.0.0.1", help="where it listens (default: 127.0.0.1)")


def serve(host: str, port: int | None) -> None:
    """Answer Prometheus in a thread of its own, for as long as the process lives; does nothing without a port.

    Raises ``CommandError`` where nothing can listen there.
    """
    if port is None:
        return
    asked = CollectorRegistry()
    asked.register(counted())
    try:
        start_http_server(port, host, registry=asked)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}:{port} for Prometheus: {error.strerror}.") from None


def bury_the_dead(folder: Path) -> None:
    """Add the counts of processes that have ended to one file, so that none goes down and the files do not pile up."""
    for path in folder.glob("*_*.db"):
        kind, _, process = path.stem.rpartition("_")
        if process.isdecimal() and not _alive(int(process)):
            if not kind.startswith("gauge"):
                _add(path, folder / f"{kind}_{ENDED}.db")
            path.unlink()


def _add(dead: Path, ended: Path) -> None:
    sums = MmapedDict(str(ended))  # type: ignore[no-untyped-call]
    try:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(dead)):  # type: ignore[no-untyped-call]
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, struct.error) as error:  # it was killed while it wrote
        logger.warning("the counts of a process that has ended cannot be read: %s", error)
    finally:
        sums.close()  # type: ignore[no-untyped-call]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let nobody else read meanwhile: who buries a process would be seen half way."""
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _alive(process: int) -> bool:
    with suppress(PermissionError):  # somebody else's: there is one
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
