"""What was made a moment ago and is still true."""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from assay.jobs.models import Job
from assay.jobs.states import TERMINAL

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers the ``most`` values that were last asked for, for this process; several threads may use it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value, if it is known."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember the value, and forget the one that was not asked for the longest."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.most:
                self._values.popitem(last=False)


class Rest(NamedTuple):
    """A job whose rows do not change: what is made of them holds for as long as this is the same."""

    job: int
    state: str
    rows_done: int
    rows_failed: int
    reruns: int
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "Rest | None":
        """Return what tells the job's rows from those of any other time; None while it may still add some."""
        if job.state not in TERMINAL:
            return None
        return cls(job.pk, job.state, job.rows_done, job.rows_failed, job.reruns, job.finished_at)
