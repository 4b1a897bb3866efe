"""How a job comes along, as it travels: progress, why it waits, what it used and may use."""

from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel

from assay.jobs.budget import left_of
from assay.jobs.models import Job, Shard, ShardState, Usage
from assay.jobs.rates import rates_of
from assay.jobs.steps import percent
from assay.jobs.waiting import waiting_of
from assay.platform.api import WireTime


class WaitingReply(BaseModel):
    why: str
    next_look_at: WireTime | None
    """When the platform looks at the job again, at the latest; None: not before somebody asks for it."""


class UsageTotals(BaseModel):
    calls: int = 0
    """Replies that were paid for."""
    kept: int = 0
    """Replies that came from the cache instead."""
    uncounted: int = 0
    """Paid replies that do not say how many tokens they took."""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


class UsageLine(UsageTotals):
    model: str
    address: str

    @classmethod
    def of(cls, line: Usage) -> Self:
        return cls(
            model=line.model,
            address=line.address,
            calls=line.calls,
            kept=line.kept,
            uncounted=line.uncounted,
            tokens_in=line.tokens_in,
            tokens_out=line.tokens_out,
            cost_usd=float(line.cost),
        )


class BudgetReply(BaseModel):
    tokens: int | None
    cost_usd: float | None
    tokens_left: int | None
    cost_usd_left: float | None

    @classmethod
    def of(cls, job: Job) -> Self:
        left = left_of(job)
        return cls(
            tokens=job.budget_tokens,
            cost_usd=_dollars(job.budget_cost),
            tokens_left=None if left.tokens is None else max(0, left.tokens),
            cost_usd_left=None if left.cost is None else max(0.0, float(left.cost)),
        )


def _dollars(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


class ProgressReply(BaseModel):
    """How far a job is, at most a second ago."""

    id: str
    name: str
    state: str
    message: str
    waiting: WaitingReply | None
    """None once the job has ended."""
    progress: float
    """Percent."""
    rows_total: int | None
    """None as long as the job is not planned."""
    rows_done: int
    rows_failed: int
    rows_left: int | None
    rows_per_second: float | None
    """Over the last ten seconds."""
    rows_per_second_overall: float | None
    """Since the job was last taken up."""
    eta_seconds: float | None
    parallelism: int
    shards: int
    shards_running: int
    cache: bool
    reruns: int
    usage: list[UsageLine]
    usage_total: UsageTotals
    budget: BudgetReply
    aggregates: dict[str, Any] | None
    """Of the rows so far, in the shape of the result aggregate-scores; None where they were not asked for."""

    @classmethod
    def of(cls, job: Job, aggregates: dict[str, Any] | None = None) -> Self:
        waiting = waiting_of(job)
        rates = rates_of(job)
        left = None if job.rows_total is None else max(0, job.rows_total - job.rows_done)
        states = list(Shard.objects.filter(job=job).values_list("state", flat=True))
        usage = [UsageLine.of(line) for line in Usage.objects.filter(job=job).order_by("model", "address")]
        return cls(
            id=job.uid,
            name=job.name,
            state=job.state,
            message=job.error or job.message,
            waiting=WaitingReply(**waiting._asdict()) if waiting else None,
            progress=percent(job),
            rows_total=job.rows_total,
            rows_done=job.rows_done,
            rows_failed=job.rows_failed,
            rows_left=left,
            rows_per_second=_rounded(rates.recent),
            rows_per_second_overall=_rounded(rates.overall),
            eta_seconds=_rounded(rates.eta(left) if rates.recent is not None else None),
            parallelism=job.parallelism,
            shards=len(states),
            shards_running=states.count(ShardState.RUNNING),
            cache=job.uses_cache,
            reruns=job.reruns,
            usage=usage,
            usage_total=total_of(usage),
            budget=BudgetReply.of(job),
            aggregates=aggregates,
        )


def total_of(lines: list[UsageLine]) -> UsageTotals:
    """Return the sum of a ledger's lines."""
    names = UsageTotals.model_fields
    return UsageTotals(**{name: sum(getattr(line, name) for line in lines) for name in names})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
