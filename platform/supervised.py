"""What the supervisor and the processes that it starts agree on: when to wait, when to end, what to leave out."""

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "ASSAY_SUPERVISED_IN"
"""Names the data folder to what the supervisor starts; nobody else sets it."""
LOCK = "preparing.lock"
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where processes that are read together count; prometheus-client's own name for it."""


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed outright, so that no orphan keeps the port."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def obey() -> None:
    """End this process when it is asked to, also while it loads: granian's worker listens only once it serves."""
    if VARIABLE in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with_parent()


def travel_light() -> None:
    """Leave out Postgres's driver where the database is SQLite.

    REST framework and the admin's theme load it wherever they find it: 10 MB, and a tenth of a second, in each process.
    """
    if VARIABLE in os.environ and not os.environ.get("ASSAY_DATABASE_URL"):
        sys.modules["psycopg"] = None  # type: ignore[assignment]  # Python's own way to say: not here


@contextmanager
def preparing(data_dir: Path) -> Iterator[None]:
    """Hold up those who wait for as long as the block runs, or until this process dies."""
    with (data_dir / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wait_until_prepared() -> None:
    """Return when the database is ready: at once where no supervisor gets it ready."""
    if VARIABLE in os.environ:
        with Path(os.environ[VARIABLE], LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
