"""A submitted evaluation to hold on to: look at it, wait for it, steer it, read what it came to."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay_sdk.client.archive import unpack
from assay_sdk.client.errors import APIConnectionError, NotFoundError
from assay_sdk.client.progress import progress_for
from assay_sdk.client.result import EvaluationResult, Lines, row_score
from assay_sdk.client.steering import JobProgress
from assay_sdk.client.values import JobInfo, JobStatus, LogLine, ResultInfo
from assay_sdk.client.watch import Watch, missing_result
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.result import RowScore

if TYPE_CHECKING:
    from assay_sdk.client.jobs import AsyncJobs, Jobs


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

    def progress(self, *, aggregates: bool = False) -> JobProgress:
        """Return how the job comes along: rates, the rest of the way, what it waits for and what it used.

        With ``aggregates`` also those of the rows so far, which takes longer.
        """
        return self._jobs.progress(self.name, aggregates=aggregates, workspace=self.workspace)

    def rows(self, *, scored: bool | None = None) -> Iterator[RowScore]:
        """Iterate over the rows so far, also while the job runs; with ``scored`` over those that are, or are not."""
        return self._jobs.rows(self.name, scored=scored, workspace=self.workspace)

    def export(self, to: str | Path, *, format: str = "jsonl") -> Path:
        """Store the rows so far as ``jsonl``, ``csv`` or ``parquet``, and return where: ``to``, or a file in it."""
        return self._jobs.export(self.name, to, format=format, workspace=self.workspace)

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

    def follow_logs(self) -> Iterator[LogLine]:
        """Iterate over the job's log, its lines as they come, until the job has ended."""
        return self._jobs.follow_logs(self.name, workspace=self.workspace)

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

    def update(
        self,
        *,
        parallelism: int | None = None,
        budget: Mapping[str, float | None] | None = None,
        cache: bool | None = None,
    ) -> None:
        """Change the job while it runs; what is left out stays. Raises ``ConflictError`` once it has ended.

        ``budget={"tokens": 100000, "cost_usd": 2.5}``; None for one of them removes that limit.
        """
        self._jobs.update(self.name, parallelism=parallelism, budget=budget, cache=cache, workspace=self.workspace)

    def rerun_failed(self) -> None:
        """Judge again the rows of an ended job that are not fully scored; ``wait`` for it as before.

        Raises ``ConflictError`` if it has not ended, or there is nothing to judge again.
        """
        self._jobs.rerun_failed(self.name, workspace=self.workspace)

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

    async def progress(self, *, aggregates: bool = False) -> JobProgress:
        """Return how the job comes along: rates, the rest of the way, what it waits for and what it used.

        With ``aggregates`` also those of the rows so far, which takes longer.
        """
        return await self._jobs.progress(self.name, aggregates=aggregates, workspace=self.workspace)

    def rows(self, *, scored: bool | None = None) -> AsyncIterator[RowScore]:
        """Iterate over the rows so far, also while the job runs; with ``scored`` over those that are, or are not."""
        return self._jobs.rows(self.name, scored=scored, workspace=self.workspace)

    async def export(self, to: str | Path, *, format: str = "jsonl") -> Path:
        """Store the rows so far as ``jsonl``, ``csv`` or ``parquet``, and return where: ``to``, or a file in it."""
        return await self._jobs.export(self.name, to, format=format, workspace=self.workspace)

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

    def follow_logs(self) -> AsyncIterator[LogLine]:
        """Iterate over the job's log, its lines as they come, until the job has ended."""
        return self._jobs.follow_logs(self.name, workspace=self.workspace)

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

    async def update(
        self,
        *,
        parallelism: int | None = None,
        budget: Mapping[str, float | None] | None = None,
        cache: bool | None = None,
    ) -> None:
        """Change the job while it runs; what is left out stays. Raises ``ConflictError`` once it has ended.

        ``budget={"tokens": 100000, "cost_usd": 2.5}``; None for one of them removes that limit.
        """
        await self._jobs.update(
            self.name, parallelism=parallelism, budget=budget, cache=cache, workspace=self.workspace
        )

    async def rerun_failed(self) -> None:
        """Judge again the rows of an ended job that are not fully scored; ``wait`` for it as before.

        Raises ``ConflictError`` if it has not ended, or there is nothing to judge again.
        """
        await self._jobs.rerun_failed(self.name, workspace=self.workspace)

    async def delete(self) -> None:
        """Delete the finished job with its results. Raises ``ConflictError`` while it is not finished."""
        await self._jobs.delete(self.name, workspace=self.workspace)
