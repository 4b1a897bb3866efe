"""A submitted evaluation to hold on to: look at it, wait for it, steer it, read what it came to."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assay_sdk.client.archive import unpack
from assay_sdk.client.errors import (
    APIConnectionError,
    AssayError,
    JobCancelled,
    JobFailed,
    JobTimeout,
    NotFoundError,
)
from assay_sdk.client.progress import Progress, progress_for
from assay_sdk.client.result import EvaluationResult, Lines, row_score
from assay_sdk.client.values import JobInfo, JobStatus, LogLine, ResultInfo
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.result import RowScore

if TYPE_CHECKING:
    from assay_sdk.client.jobs import AsyncJobs, Jobs

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


class Job:
    """A submitted evaluation. Keep in step with ``AsyncJob``."""

    def __init__(self, jobs: "Jobs", info: JobInfo) -> None:
        self._jobs = jobs
        self.info = info
        """The job as it stood when it was submitted or read."""
        self.name = info.name
        self.workspace = info.workspace

    def __repr__(self) -> str:
        return f"Job({self.workspace}/{self.name})"

    def status(self) -> JobStatus:
        """Return where the job stands now."""
        return self._jobs.status(self.name, workspace=self.workspace)

    def wait(self, timeout: float | None = None, *, poll: float | None = None, progress: bool = True) -> "Job":
        """Wait until the job is completed, and return it.

        Looks every 0.1 s at first and every 2 s later, or every ``poll`` seconds. Raises ``JobFailed`` if the job ends
        otherwise, ``JobTimeout`` after ``timeout`` seconds; the job itself goes on then.
        """
        watch = Watch(f"{self.workspace}/{self.name}", progress_for(self.name, progress), timeout=timeout, poll=poll)
        while True:
            try:
                pause = watch.see(self.status())
            except APIConnectionError as error:
                pause = watch.lost(error)
            if pause is None:
                return self
            time.sleep(pause)

    def result(self) -> EvaluationResult:
        """Return the row scores and aggregates of a completed job.

        Raises ``JobFailed`` if it failed, ``AssayError`` if it is not done.
        """
        try:
            scores = self._jobs.aggregate_scores(self.name, workspace=self.workspace)
        except NotFoundError:
            raise missing_result(f"{self.workspace}/{self.name}", self.status()) from None
        return EvaluationResult.of_job(self.row_scores(), scores)

    def row_scores(self) -> Iterator[RowScore]:
        """Iterate over the row scores of a completed job as they arrive, however many there are."""
        lines = Lines()
        call = self._jobs._calls.download(self.name, "row-scores", workspace=self.workspace)
        for chunk in self._jobs._transport.stream(call):
            yield from map(row_score, lines.feed(chunk))
        yield from map(row_score, lines.end())

    def agreement(
        self, column: str, score: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> Agreement:
        """Return how well the job agrees with what people said in a column of its dataset, on the rows judged so far.

        ``score`` may be left out where there is only one, or one that is called like the column. Raises
        ``UnprocessableEntityError`` if there is no such column or it holds no ratings: the message says which row.
        """
        options = {"resamples": resamples, "seed": seed}
        return self._jobs.agreement(self.name, column, score, workspace=self.workspace, **options)

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        """Iterate over the job's log; with ``follow`` go on until the job is done."""
        return self._jobs.logs(self.name, follow=follow, workspace=self.workspace)

    def results(self) -> tuple[ResultInfo, ...]:
        """Return what can be downloaded."""
        return self._jobs.results(self.name, workspace=self.workspace)

    def artifacts(self, to: str | Path) -> Path:
        """Unpack all that the job produced into the folder ``to`` and return it. Raises ``UnsafeArchive``."""
        with tempfile.TemporaryDirectory() as folder:
            archive = self._jobs.save(self.name, "artifacts", folder, workspace=self.workspace)
            return unpack(archive, Path(to))

    def cancel(self) -> None:
        """Stop the job for good. A finished job is left as it is."""
        self._jobs.cancel(self.name, workspace=self.workspace)

    def pause(self) -> None:
        """Stop the job for now; what is judged stays."""
        self._jobs.pause(self.name, workspace=self.workspace)

    def resume(self) -> None:
        """Go on with a paused job."""
        self._jobs.resume(self.name, workspace=self.workspace)

    def delete(self) -> None:
        """Delete the finished job with its results. Raises ``ConflictError`` while it is not finished."""
        self._jobs.delete(self.name, workspace=self.workspace)


class AsyncJob:
    """A submitted evaluation. Keep in step with ``Job``."""

    def __init__(self, jobs: "AsyncJobs", info: JobInfo) -> None:
        self._jobs = jobs
        self.info = info
        """The job as it stood when it was submitted or read."""
        self.name = info.name
        self.workspace = info.workspace

    def __repr__(self) -> str:
        return f"AsyncJob({self.workspace}/{self.name})"

    async def status(self) -> JobStatus:
        """Return where the job stands now."""
        return await self._jobs.status(self.name, workspace=self.workspace)

    async def wait(
        self, timeout: float | None = None, *, poll: float | None = None, progress: bool = True
    ) -> "AsyncJob":
        """Wait until the job is completed, and return it.

        Looks every 0.1 s at first and every 2 s later, or every ``poll`` seconds. Raises ``JobFailed`` if the job ends
        otherwise, ``JobTimeout`` after ``timeout`` seconds; the job itself goes on then.
        """
        watch = Watch(f"{self.workspace}/{self.name}", progress_for(self.name, progress), timeout=timeout, poll=poll)
        while True:
            try:
                pause = watch.see(await self.status())
            except APIConnectionError as error:
                pause = watch.lost(error)
            if pause is None:
                return self
            await asyncio.sleep(pause)

    async def result(self) -> EvaluationResult:
        """Return the row scores and aggregates of a completed job.

        Raises ``JobFailed`` if it failed, ``AssayError`` if it is not done.
        """
        try:
            scores = await self._jobs.aggregate_scores(self.name, workspace=self.workspace)
        except NotFoundError:
            raise missing_result(f"{self.workspace}/{self.name}", await self.status()) from None
        rows = [row async for row in self.row_scores()]
        return EvaluationResult.of_job(rows, scores)

    async def row_scores(self) -> AsyncIterator[RowScore]:
        """Iterate over the row scores of a completed job as they arrive, however many there are."""
        lines = Lines()
        call = self._jobs._calls.download(self.name, "row-scores", workspace=self.workspace)
        async for chunk in self._jobs._transport.stream(call):
            for line in lines.feed(chunk):
                yield row_score(line)
        for line in lines.end():
            yield row_score(line)

    async def agreement(
        self, column: str, score: str | None = None, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> Agreement:
        """Return how well the job agrees with what people said in a column of its dataset, on the rows judged so far.

        ``score`` may be left out where there is only one, or one that is called like the column. Raises
        ``UnprocessableEntityError`` if there is no such column or it holds no ratings: the message says which row.
        """
        options = {"resamples": resamples, "seed": seed}
        return await self._jobs.agreement(self.name, column, score, workspace=self.workspace, **options)

    def logs(self, *, follow: bool = False) -> AsyncIterator[LogLine]:
        """Iterate over the job's log; with ``follow`` go on until the job is done."""
        return self._jobs.logs(self.name, follow=follow, workspace=self.workspace)

    async def results(self) -> tuple[ResultInfo, ...]:
        """Return what can be downloaded."""
        return await self._jobs.results(self.name, workspace=self.workspace)

    async def artifacts(self, to: str | Path) -> Path:
        """Unpack all that the job produced into the folder ``to`` and return it. Raises ``UnsafeArchive``."""
        with tempfile.TemporaryDirectory() as folder:
            archive = await self._jobs.save(self.name, "artifacts", folder, workspace=self.workspace)
            return await asyncio.to_thread(unpack, archive, Path(to))

    async def cancel(self) -> None:
        """Stop the job for good. A finished job is left as it is."""
        await self._jobs.cancel(self.name, workspace=self.workspace)

    async def pause(self) -> None:
        """Stop the job for now; what is judged stays."""
        await self._jobs.pause(self.name, workspace=self.workspace)

    async def resume(self) -> None:
        """Go on with a paused job."""
        await self._jobs.resume(self.name, workspace=self.workspace)

    async def delete(self) -> None:
        """Delete the finished job with its results. Raises ``ConflictError`` while it is not finished."""
        await self._jobs.delete(self.name, workspace=self.workspace)
