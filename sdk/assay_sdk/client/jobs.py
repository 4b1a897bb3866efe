"""Jobs: where they stand, their logs and results, and the verbs that steer them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from assay_sdk.client.call import Call, Paged, filter_text, many, nothing, one, path, whole
from assay_sdk.client.errors import APIConnectionError
from assay_sdk.client.files import Arriving
from assay_sdk.client.job import AsyncJob, Job
from assay_sdk.client.result import AggregateScore, Lines, aggregates
from assay_sdk.client.steering import Followed, SteeringCalls
from assay_sdk.client.transport import AsyncTransport, Transport
from assay_sdk.client.twins import AsyncResource, Awaits, Lists, ListsAsync, Resource, Sends
from assay_sdk.client.values import JobInfo, JobStatus, LogLine, ResultInfo
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.result import RowScore

J = TypeVar("J")

LOG_PAGE = 1000
FOLLOW_SECONDS = 1.0


class JobCalls(SteeringCalls, Generic[J]):
    """Requests about jobs. ``open`` makes what is read of a job into the job that the client hands out."""

    def __init__(self, workspace: str, open: Callable[[JobInfo], J]) -> None:
        self.workspace = workspace
        self.open = open

    def _job(self, entry: Any) -> J:
        return self.open(JobInfo.model_validate(entry))

    def path(self, workspace: str | None, *more: str) -> str:
        """Return the address of the jobs of a workspace, or of something below."""
        return path("apis", "jobs", "v2", "workspaces", workspace or self.workspace, "jobs", *more)

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[J]:
        """Return a job to wait for, to steer, or to read. Raises ``NotFoundError``."""
        return Call("GET", self.path(workspace, name), lambda body: self._job(orjson.loads(body)))

    def list(
        self, *, filter: Mapping[str, object] | None = None, sort: str | None = None, workspace: str | None = None
    ) -> Paged[J]:
        """Iterate over the jobs of a workspace, newest first; ``filter`` as in ``{"status": "active"}``."""
        return Paged(self.path(workspace), self._job, {"filter": filter_text(filter), "sort": sort})

    def status(self, name: str, *, workspace: str | None = None) -> Call[JobStatus]:
        """Return where a job stands. Raises ``NotFoundError``."""
        return Call("GET", self.path(workspace, name, "status"), one(JobStatus))

    def cancel(self, name: str, *, workspace: str | None = None) -> Call[JobInfo]:
        """Stop a job for good. A finished job is left as it is."""
        return Call("POST", self.path(workspace, name, "cancel"), one(JobInfo), harmless=True)

    def pause(self, name: str, *, workspace: str | None = None) -> Call[JobInfo]:
        """Stop a job for now; what is judged stays. A finished job is left as it is."""
        return Call("POST", self.path(workspace, name, "pause"), one(JobInfo), harmless=True)

    def resume(self, name: str, *, workspace: str | None = None) -> Call[JobInfo]:
        """Go on with a paused job."""
        return Call("POST", self.path(workspace, name, "resume"), one(JobInfo), harmless=True)

    def delete(self, name: str, *, workspace: str | None = None) -> Call[None]:
        """Delete a finished job with its results. Raises ``ConflictError`` while it is not finished."""
        return Call("DELETE", self.path(workspace, name), nothing)

    def results(self, name: str, *, workspace: str | None = None) -> Call[tuple[ResultInfo, ...]]:
        """Return what can be downloaded of a job: row-scores, aggregate-scores, artifacts."""
        return Call("GET", self.path(workspace, name, "results"), many(ResultInfo))

    def download(self, name: str, result: str, *, workspace: str | None = None) -> Call[bytes]:
        """Return the content of a result. Raises ``NotFoundError`` while there is none."""
        address = self.path(workspace, name, "results", result, "download")
        return Call("GET", address, whole, accept="application/octet-stream")

    def aggregate_scores(self, name: str, *, workspace: str | None = None) -> Call[tuple[AggregateScore, ...]]:
        """Return the aggregate scores of a completed job. Raises ``NotFoundError`` while there are none."""
        address = self.path(workspace, name, "results", "aggregate-scores", "download")
        read: Callable[[bytes], tuple[AggregateScore, ...]] = lambda body: aggregates(orjson.loads(body))  # noqa: E731
        return Call("GET", address, read, accept="application/octet-stream")

    def agreement(
        self,
        name: str,
        column: str,
        score: str | None = None,
        *,
        resamples: int = RESAMPLES,
        seed: int = 0,
        workspace: str | None = None,
    ) -> Call[Agreement]:
        """Return how well a job agrees with what people said in a column of its dataset, on the rows judged so far.

        ``score`` may be left out where there is only one, or one that is called like the column. Raises
        ``NotFoundError``, and ``UnprocessableEntityError`` if there is no such column or it holds no ratings.
        """
        query = {"column": column, "score": score, "resamples": resamples, "seed": seed}
        address = self.evaluation(name, workspace, "agreement")
        return Call("GET", address, lambda body: Agreement.from_wire(orjson.loads(body)), query)

    def log_page(self, name: str, cursor: str | None, workspace: str | None) -> Call["LogPage"]:
        """Return a page of a job's log."""
        query = {"limit": LOG_PAGE, "page_cursor": cursor}
        return Call("GET", self.path(workspace, name, "logs"), LogPage, query)


class LogPage:
    """One page of a log."""

    def __init__(self, body: bytes) -> None:
        reply = orjson.loads(body)
        self.lines = [LogLine.model_validate(entry) for entry in reply["data"]]
        self.next: str | None = reply.get("next_page")


class LogWalk:
    """Goes through a log that may grow: the last page is asked for again, and what is new in it handed out."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self.at_end = False
        self._read = 0

    def take(self, page: LogPage) -> Iterator[LogLine]:
        """Yield the lines of a page that have not been handed out."""
        new = page.lines[self._read :]
        self.at_end = page.next is None
        self._read = len(page.lines) if self.at_end else 0
        self.cursor = self.cursor if self.at_end else page.next
        yield from new


class Jobs(Resource[JobCalls[Job]]):
    """The evaluations a workspace holds. Keep in step with ``AsyncJobs``."""

    def __init__(self, workspace: str, transport: Transport) -> None:
        super().__init__(JobCalls(workspace, lambda info: Job(self, info)), transport)

    status = Sends(JobCalls[Job].status)
    cancel = Sends(JobCalls[Job].cancel)
    pause = Sends(JobCalls[Job].pause)
    resume = Sends(JobCalls[Job].resume)
    delete = Sends(JobCalls[Job].delete)
    results = Sends(JobCalls[Job].results)
    download = Sends(JobCalls[Job].download)
    aggregate_scores = Sends(JobCalls[Job].aggregate_scores)
    agreement = Sends(JobCalls[Job].agreement)
    progress = Sends(JobCalls[Job].progress)
    update = Sends(JobCalls[Job].update)
    rerun_failed = Sends(JobCalls[Job].rerun_failed)
    row = Sends(JobCalls[Job].row)
    retrieve = Sends(JobCalls[Job].retrieve)
    list = Lists(JobCalls[Job].list)

    def logs(self, name: str, *, follow: bool = False, workspace: str | None = None) -> Iterator[LogLine]:
        """Iterate over a job's log; with ``follow`` go on until the job is done."""
        walk = LogWalk()
        while True:
            # Asked before the page: what is written in between is still read.
            over = not follow or self.status(name, workspace=workspace).done
            yield from walk.take(self._transport.send(self._calls.log_page(name, walk.cursor, workspace)))
            if walk.at_end and over:
                return
            if walk.at_end:
                time.sleep(FOLLOW_SECONDS)

    def follow_logs(self, name: str, *, workspace: str | None = None) -> Iterator[LogLine]:
        """Iterate over a job's log, its lines as they come, until the job has ended."""
        followed = Followed()
        while True:
            over = self.status(name, workspace=workspace).done
            lines, before = Lines(), followed.cursor
            try:
                for chunk in self._transport.stream(self._calls.log_stream(name, followed.cursor, workspace)):
                    yield from map(followed.read, lines.feed(chunk))
            except APIConnectionError:
                if followed.cursor == before:
                    raise
            if over:
                return

    def rows(self, name: str, *, scored: bool | None = None, workspace: str | None = None) -> Iterator[RowScore]:
        """Iterate over a job's rows so far, also while it runs; with ``scored`` over those that are, or are not."""
        cursor: str | None = None
        while True:
            page = self._transport.send(self._calls.row_page(name, cursor, scored, workspace))
            yield from page.rows
            if page.next is None:
                return
            cursor = page.next

    def export(self, name: str, to: str | Path, *, format: str = "jsonl", workspace: str | None = None) -> Path:
        """Store a job's rows so far as ``jsonl``, ``csv`` or ``parquet``; return where: ``to``, or a file in it."""
        with Arriving(to, f"{name}.{format}") as arriving:
            for chunk in self._transport.stream(self._calls.export(name, format, workspace)):
                arriving.write(chunk)
        return arriving.target

    def save(self, name: str, result: str, to: str | Path, *, workspace: str | None = None) -> Path:
        """Store a result locally, piece by piece, and return where: ``to``, or below it if that is a folder."""
        with Arriving(to, result) as arriving:
            for chunk in self._transport.stream(self._calls.download(name, result, workspace=workspace)):
                arriving.write(chunk)
        return arriving.target


class AsyncJobs(AsyncResource[JobCalls[AsyncJob]]):
    """The evaluations a workspace holds. Keep in step with ``Jobs``."""

    def __init__(self, workspace: str, transport: AsyncTransport) -> None:
        super().__init__(JobCalls(workspace, lambda info: AsyncJob(self, info)), transport)

    status = Awaits(JobCalls[AsyncJob].status)
    cancel = Awaits(JobCalls[AsyncJob].cancel)
    pause = Awaits(JobCalls[AsyncJob].pause)
    resume = Awaits(JobCalls[AsyncJob].resume)
    delete = Awaits(JobCalls[AsyncJob].delete)
    results = Awaits(JobCalls[AsyncJob].results)
    download = Awaits(JobCalls[AsyncJob].download)
    aggregate_scores = Awaits(JobCalls[AsyncJob].aggregate_scores)
    agreement = Awaits(JobCalls[AsyncJob].agreement)
    progress = Awaits(JobCalls[AsyncJob].progress)
    update = Awaits(JobCalls[AsyncJob].update)
    rerun_failed = Awaits(JobCalls[AsyncJob].rerun_failed)
    row = Awaits(JobCalls[AsyncJob].row)
    retrieve = Awaits(JobCalls[AsyncJob].retrieve)
    list = ListsAsync(JobCalls[AsyncJob].list)

    async def logs(self, name: str, *, follow: bool = False, workspace: str | None = None) -> AsyncIterator[LogLine]:
        """Iterate over a job's log; with ``follow`` go on until the job is done."""
        walk = LogWalk()
        while True:
            # Asked before the page: what is written in between is still read.
            over = not follow or (await self.status(name, workspace=workspace)).done
            for line in walk.take(await self._transport.send(self._calls.log_page(name, walk.cursor, workspace))):
                yield line
            if walk.at_end and over:
                return
            if walk.at_end:
                await asyncio.sleep(FOLLOW_SECONDS)

    async def follow_logs(self, name: str, *, workspace: str | None = None) -> AsyncIterator[LogLine]:
        """Iterate over a job's log, its lines as they come, until the job has ended."""
        followed = Followed()
        while True:
            over = (await self.status(name, workspace=workspace)).done
            lines, before = Lines(), followed.cursor
            try:
                async for chunk in self._transport.stream(self._calls.log_stream(name, followed.cursor, workspace)):
                    for line in lines.feed(chunk):
                        yield followed.read(line)
            except APIConnectionError:
                if followed.cursor == before:
                    raise
            if over:
                return

    async def rows(
        self, name: str, *, scored: bool | None = None, workspace: str | None = None
    ) -> AsyncIterator[RowScore]:
        """Iterate over a job's rows so far, also while it runs; with ``scored`` over those that are, or are not."""
        cursor: str | None = None
        while True:
            page = await self._transport.send(self._calls.row_page(name, cursor, scored, workspace))
            for row in page.rows:
                yield row
            if page.next is None:
                return
            cursor = page.next

    async def export(self, name: str, to: str | Path, *, format: str = "jsonl", workspace: str | None = None) -> Path:
        """Store a job's rows so far as ``jsonl``, ``csv`` or ``parquet``; return where: ``to``, or a file in it."""
        with Arriving(to, f"{name}.{format}") as arriving:
            async for chunk in self._transport.stream(self._calls.export(name, format, workspace)):
                arriving.write(chunk)
        return arriving.target

    async def save(self, name: str, result: str, to: str | Path, *, workspace: str | None = None) -> Path:
        """Store a result locally, piece by piece, and return where: ``to``, or below it if that is a folder."""
        with Arriving(to, result) as arriving:
            async for chunk in self._transport.stream(self._calls.download(name, result, workspace=workspace)):
                arriving.write(chunk)
        return arriving.target
