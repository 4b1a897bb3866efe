"""A job while it runs and after, as the evaluator's API has it: progress, changes, reruns, rows, a log as it comes."""

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import Field

from assay_sdk.client.call import Call, fields, one, path, whole
from assay_sdk.client.result import AggregateScore, aggregates, read_row
from assay_sdk.client.values import JobInfo, LogLine, Moment, Value
from assay_sdk.engine.result import RowScore

EVALUATOR = ("apis", "evaluator", "v2", "workspaces")
ROW_PAGE = 200
Budget = Mapping[str, float | None]
"""``tokens`` and ``cost_usd``; None removes a limit."""


class JobWaiting(Value):
    """Why a job is where it is."""

    why: str
    next_look_at: Moment | None = None
    """When the platform looks at it again by itself; None if that takes somebody who asks for it."""


class JobUsage(Value):
    """What one model has done for a job, or all of them."""

    model: str | None = None
    address: str | None = None
    calls: int = 0
    """Replies that were paid for."""
    kept: int = 0
    """Replies that came from the cache instead."""
    uncounted: int = 0
    """Paid replies that do not say how many tokens they took."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


class JobBudget(Value):
    """What a job may use, and what is left of it; None is no limit."""

    tokens: int | None = None
    cost_usd: float | None = None
    tokens_left: int | None = None
    cost_usd_left: float | None = None


class JobProgress(Value):
    """How a job comes along."""

    name: str
    state: str
    message: str = ""
    waiting: JobWaiting | None = None
    """None once it has ended."""
    progress: float = 0.0
    """Percent."""
    rows_total: int | None = None
    rows_done: int = 0
    rows_failed: int = 0
    rows_left: int | None = None
    rows_per_second: float | None = None
    """Over the last ten seconds."""
    rows_per_second_overall: float | None = None
    eta_seconds: float | None = None
    parallelism: int = 0
    shards: int = 0
    shards_running: int = 0
    cache: bool = True
    reruns: int = 0
    usage: tuple[JobUsage, ...] = ()
    usage_total: JobUsage = Field(default_factory=JobUsage)
    budget: JobBudget = Field(default_factory=JobBudget)
    scores: tuple[AggregateScore, ...] = ()
    """Of the rows so far; empty if they were not asked for."""

    @classmethod
    def from_wire(cls, body: bytes) -> "JobProgress":
        """Read a reply."""
        reply = orjson.loads(body)
        found = reply.get("aggregates")
        return cls.model_validate({**reply, "scores": aggregates(found) if found else ()})


class RowPage:
    """One page of a job's rows."""

    def __init__(self, body: bytes) -> None:
        reply = orjson.loads(body)
        self.rows: list[RowScore] = [read_row(entry) for entry in reply["data"]]
        self.next: str | None = reply.get("next_page")


class Followed:
    """Where somebody is who follows a log."""

    def __init__(self) -> None:
        self.cursor: str | None = None

    def read(self, line: bytes) -> LogLine:
        """Return a line of the stream, and note that it was read."""
        entry = orjson.loads(line)
        self.cursor = entry["page_cursor"]
        return LogLine.model_validate(entry)


class SteeringCalls:
    """Requests about a job while it runs and after."""

    workspace: str

    def evaluation(self, name: str, workspace: str | None, *more: str) -> str:
        """Return the address of a job as the evaluator's, or of something below."""
        return path(*EVALUATOR, workspace or self.workspace, "evaluate", "jobs", name, *more)

    def progress(self, name: str, *, aggregates: bool = False, workspace: str | None = None) -> Call[JobProgress]:
        """Return how a job comes along; with ``aggregates`` also those of the rows so far, which takes longer."""
        address = self.evaluation(name, workspace, "progress")
        return Call("GET", address, JobProgress.from_wire, {"aggregates": aggregates})

    def update(
        self,
        name: str,
        *,
        parallelism: int | None = None,
        budget: Budget | None = None,
        cache: bool | None = None,
        workspace: str | None = None,
    ) -> Call[JobInfo]:
        """Change a job while it runs; what is left out stays. Raises ``ConflictError`` once it has ended.

        ``budget={"tokens": 100000, "cost_usd": 2.5}``; None for one of them removes that limit.
        """
        changes = fields(parallelism=parallelism, cache=cache, budget=None if budget is None else dict(budget))
        return Call("PATCH", self.evaluation(name, workspace), one(JobInfo), json=changes, harmless=True)

    def rerun_failed(self, name: str, *, workspace: str | None = None) -> Call[JobInfo]:
        """Judge again the rows of an ended job that are not fully scored.

        Raises ``ConflictError`` if it has not ended, or there is nothing to judge again.
        """
        return Call("POST", self.evaluation(name, workspace, "rerun-failed"), one(JobInfo))

    def row(self, name: str, index: int, *, workspace: str | None = None) -> Call[RowScore]:
        """Return one row of a job, with everything that became of it. Raises ``NotFoundError`` until it is judged."""
        address = self.evaluation(name, workspace, "rows", str(index))
        return Call("GET", address, lambda body: read_row(orjson.loads(body)))

    def row_page(self, name: str, cursor: str | None, scored: bool | None, workspace: str | None) -> Call[RowPage]:
        """Return a page of a job's rows."""
        query = {"limit": ROW_PAGE, "page_cursor": cursor, "scored": scored}
        return Call("GET", self.evaluation(name, workspace, "rows"), RowPage, query)

    def export(self, name: str, format: str, workspace: str | None) -> Call[bytes]:
        """Return a job's rows as a file."""
        return Call("GET", self.evaluation(name, workspace, "export"), whole, {"format": format})

    def log_stream(self, name: str, cursor: str | None, workspace: str | None) -> Call[Any]:
        """Return a job's log as it comes."""
        query = {"follow": True, "page_cursor": cursor}
        return Call("GET", self.evaluation(name, workspace, "logs"), whole, query)
