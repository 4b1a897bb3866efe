"""How long a thread may work at what others wrote (templates, patterns), where somebody waits for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class WorkTime(threading.local):
    """The time that this thread has, on the clock of its own work: a busy machine makes nothing slow."""

    until = float("inf")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give all that is done inside so much time together."""
        before = self.until
        self.until = min(before, time.thread_time() + seconds)
        try:
            yield
        finally:
            self.until = before

    def over(self) -> bool:
        """Whether it is used up."""
        return time.thread_time() > self.until


WORK_TIME = WorkTime()
