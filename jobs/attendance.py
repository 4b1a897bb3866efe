"""Which worker processes are there: each says so every five seconds, and is forgotten when it has been silent long."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import Error, close_old_connections, connection
from django.db.models import QuerySet
from django.utils import timezone

from assay.jobs.models import Worker

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
PRESENT = timedelta(seconds=15)
"""Who was not seen for so long is taken to be gone."""
FORGOTTEN = timedelta(hours=1)


def process_name() -> str:
    """Return the name of this process among workers, the beginning of ``leases.worker_name``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def beat(name: str, threads: int) -> None:
    """Note that a worker is there, and how many shards it judges at once."""
    now = timezone.now()
    if not Worker.objects.filter(name=name).update(seen_at=now, threads=threads):
        Worker.objects.update_or_create(name=name, defaults={"seen_at": now, "threads": threads})
        Worker.objects.filter(seen_at__lt=now - FORGOTTEN).delete()


def leave(name: str) -> None:
    """Note that a worker has ended in good order."""
    Worker.objects.filter(name=name).delete()


def present() -> QuerySet[Worker]:
    """Return the workers that were seen lately."""
    return Worker.objects.filter(seen_at__gte=timezone.now() - PRESENT)


class Attendance:
    """Beats in a thread of its own, from ``begin`` to ``end``."""

    def __init__(self, threads: int) -> None:
        self.name = process_name()
        self.threads = threads
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="attendance", daemon=True)

    def begin(self) -> None:
        """Start saying that this process is there."""
        self._beating.start()

    def end(self) -> None:
        """Say that it is there no more."""
        self._over.set()
        self._beating.join()

    def _beat(self) -> None:
        while True:
            self._say(lambda: beat(self.name, self.threads))
            if self._over.wait(BEAT_SECONDS):
                self._say(lambda: leave(self.name))
                return

    def _say(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Error as error:
            # The database is away: whoever asks it for workers learns as much.
            logger.debug("attendance was not noted: %s", type(error).__name__)
            connection.close()
        close_old_connections()
