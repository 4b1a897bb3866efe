"""What is made once for all workers of a test run, by the one that first asks for it."""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "ASSAY_TESTS_FOLDER"
"""Says where the run keeps it; workers have it from the process that starts them (``conftest.py``)."""


def folder() -> Path:
    """Return the run's folder, which goes with the process that first asked for it."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="assay-tests-")
        atexit.register(shutil.rmtree, os.environ[VARIABLE], ignore_errors=True)
    return Path(os.environ[VARIABLE])


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """Return what ``make`` made at the path it was given: called for the first who asks, while the others wait."""
    place = folder() / name
    with Path(folder(), f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            draft = place.with_suffix(".draft")
            make(draft)
            draft.rename(place)
    return place
