"""Agreement and comparison as they travel: what the engine found, and how far the jobs are that it was found in."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from assay.jobs.models import Job
from assay.platform.wire import NUMBER
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.compare import MOST_CHANGED, TestName
from assay_sdk.engine.comparison import ComparedRun, Comparison, Difference
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.statistic import Statistic

MOST_RESAMPLES = 2000
Resamples = Annotated[int, Field(ge=0, le=MOST_RESAMPLES)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class AgreementQuery(BaseModel):
    column: str = Field(min_length=1, max_length=1024, description="Where people's ratings are in the dataset's items.")
    score: str | None = Field(
        None, max_length=1024, description="metric.score, or its end; the only one, or the column's namesake."
    )
    resamples: Resamples = Field(RESAMPLES, description="For the intervals; 0 for none.")
    seed: Seed = Field(0, description="The same seed gives the same intervals.")


class ComparisonRequest(BaseModel):
    """Which jobs to compare, in which score, and how."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[str] = Field(min_length=2, max_length=8, json_schema_extra={"uniqueItems": True})
    score: str | None = Field(None, max_length=1024)
    test: TestName = "auto"
    baseline: str | None = None
    """The job that all others are compared with; each with each if absent."""
    resamples: Annotated[Resamples, NUMBER] = RESAMPLES
    seed: Annotated[Seed, NUMBER] = 0
    changed: Annotated[int, NUMBER] = Field(MOST_CHANGED, ge=0, le=100)
    """How many of the rows that changed most to list."""


class JobProgress(BaseModel):
    """How far the job was when its rows were read."""

    name: str
    status: str
    rows_done: int
    rows_total: int | None

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(name=job.name, status=job.state, rows_done=job.rows_done, rows_total=job.rows_total)


class AgreementReply(BaseModel):
    job: JobProgress
    score: str
    column: str
    rows: int
    n: int
    unscored: int
    unrated: int
    statistics: dict[str, Statistic]
    categories: list[float] | list[str]
    confusion: list[list[int]]
    resamples: int
    seed: int
    confidence: float

    @classmethod
    def of(cls, job: Job, found: Agreement) -> Self:
        return cls(job=JobProgress.of(job), **found.to_wire())


class ComparisonReply(BaseModel):
    jobs: list[JobProgress]
    runs: list[ComparedRun]
    differences: list[Difference]
    resamples: int
    seed: int
    confidence: float
    power: float

    @classmethod
    def of(cls, jobs: list[Job], found: Comparison) -> Self:
        return cls(jobs=[JobProgress.of(job) for job in jobs], **found.to_wire())
