"""Waiting for a job: when to look again, and what it means if it ended without a result."""

import time
from collections.abc import Callable

from assay_sdk.client.errors import APIConnectionError, AssayError, JobCancelled, JobFailed, JobTimeout
from assay_sdk.client.progress import Progress
from assay_sdk.client.values import JobStatus

SHORTEST_POLL = 0.1
LONGEST_POLL = 2.0
PATIENCE = 60.0
"""Seconds for which a wait puts up with a server that is away, restarting for instance. The job goes on meanwhile."""


class Watch:
    """The course of one wait, without the waiting: told what is seen, it says when to look again or that it is over."""

    def __init__(
        self,
        job: str,
        progress: Progress,
        *,
        timeout: float | None,
        poll: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._progress = progress
        self._timeout = timeout
        self._poll = poll
        self._clock = clock
        self._begun = self._heard = clock()

    def see(self, status: JobStatus) -> float | None:
        """Return the seconds until the next look, None once the job is completed.

        Raises ``JobFailed`` if it ended otherwise, ``JobTimeout`` if time is up.
        """
        self._heard = self._clock()
        if not status.done:
            self._progress.show(status.rows_done or 0, status.rows, status.message or status.status)
            return self._pause(f"still '{status.status}'")
        message = status.message or status.status
        self._progress.close(message)
        if status.status == "completed":
            return None
        raise failed(self._job, status)

    def lost(self, error: APIConnectionError) -> float:
        """Return the seconds until the next try to reach the server; raises the error once patience is at its end."""
        if self._clock() - self._heard > PATIENCE:
            self._progress.close("the server cannot be reached")
            raise error
        return self._pause("out of reach")

    def _pause(self, state: str) -> float:
        waited = self._clock() - self._begun
        # A tenth of what was waited so far: short jobs are noticed at once, long ones are not pestered.
        pause = self._poll or min(LONGEST_POLL, max(SHORTEST_POLL, waited / 10))
        if self._timeout is None:
            return pause
        if waited >= self._timeout:
            self._progress.close(f"{state} after {waited:.0f} s")
            raise JobTimeout(f"job {self._job} is {state} after {waited:.0f} s; it goes on")
        return min(pause, self._timeout - waited)


def failed(job: str, status: JobStatus) -> JobFailed:
    """Return the error for a job that ended without a result."""
    kind = JobCancelled if status.status == "cancelled" else JobFailed
    return kind(job, status.status, status.message or "the server gave no reason; its log may")


def missing_result(job: str, status: JobStatus) -> AssayError:
    """Return why a job has no result."""
    if status.done and status.status != "completed":
        return failed(job, status)
    return AssayError(f"job {job} has no result yet, it is '{status.status}': wait() for it")
