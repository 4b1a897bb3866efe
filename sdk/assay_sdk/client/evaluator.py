"""Evaluations: here and now through the engine, or as jobs of the platform; stored metrics and stored results."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import orjson

from assay_sdk.client.call import Call, Paged, fields, filter_text, nothing, one, path
from assay_sdk.client.job import AsyncJob, Job
from assay_sdk.client.jobs import AsyncJobs, Jobs
from assay_sdk.client.local import run_here, run_here_async
from assay_sdk.client.steering import Budget
from assay_sdk.client.submission import Dataset, Metrics, bundle, job_spec, with_options
from assay_sdk.client.transport import AsyncTransport, Transport
from assay_sdk.client.twins import AsyncResource, Awaits, Lists, ListsAsync, Resource, Sends
from assay_sdk.client.values import JobInfo, StoredMetric, StoredResult
from assay_sdk.engine.compare import MOST_CHANGED, TestName
from assay_sdk.engine.comparison import Comparison
from assay_sdk.engine.intervals import RESAMPLES
from assay_sdk.engine.spec import Metric, Model, RunConfig

J = TypeVar("J")

ROOT = ("apis", "evaluator", "v2", "workspaces")


class MetricCalls:
    """Requests about stored metrics."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def _path(self, workspace: str | None, *more: str) -> str:
        return path(*ROOT, workspace or self.workspace, "metrics", *more)

    def create(
        self, name: str, metric: Metric, *, project: str | None = None, workspace: str | None = None
    ) -> Call[StoredMetric]:
        """Keep a metric under a name, for good: it cannot be changed. Raises ``ConflictError`` if the name is taken."""
        return Call("POST", self._path(workspace, name), one(StoredMetric), {"project": project}, json=bundle(metric))

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[StoredMetric]:
        """Return what is known of a stored metric. Raises ``NotFoundError``."""
        return Call("GET", self._path(workspace, name), one(StoredMetric))

    def delete(self, name: str, *, workspace: str | None = None) -> Call[None]:
        """Delete a stored metric; jobs that used it keep their own copy."""
        return Call("DELETE", self._path(workspace, name), nothing)

    def list(
        self, *, filter: Mapping[str, object] | None = None, sort: str | None = None, workspace: str | None = None
    ) -> Paged[StoredMetric]:
        """Iterate over the stored metrics of a workspace, oldest first."""
        return Paged(self._path(workspace), StoredMetric.model_validate, {"filter": filter_text(filter), "sort": sort})


class ResultCalls:
    """Requests about stored results."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def _path(self, workspace: str | None, *more: str) -> str:
        return path(*ROOT, workspace or self.workspace, "eval-results", *more)

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[StoredResult]:
        """Return the stored result of the job of that name. Raises ``NotFoundError``."""
        return Call("GET", self._path(workspace, name), one(StoredResult))

    def delete(self, name: str, *, workspace: str | None = None) -> Call[None]:
        """Delete a stored result."""
        return Call("DELETE", self._path(workspace, name), nothing)

    def list(
        self, *, filter: Mapping[str, object] | None = None, sort: str | None = None, workspace: str | None = None
    ) -> Paged[StoredResult]:
        """Iterate over the stored results of a workspace, newest first."""
        return Paged(self._path(workspace), StoredResult.model_validate, {"filter": filter_text(filter), "sort": sort})


class EvaluatorCalls(Generic[J]):
    """Requests that start evaluations. ``open`` makes the answer into the job that the client hands out."""

    def __init__(self, workspace: str, open: Callable[[JobInfo], J]) -> None:
        self.workspace = workspace
        self.open = open

    def submit(
        self,
        metrics: Metrics,
        dataset: Dataset,
        *,
        name: str | None = None,
        config: RunConfig | None = None,
        target: Model | None = None,
        prompt_template: str | Mapping[str, Any] | None = None,
        field_mapping: Mapping[str, Any] | None = None,
        description: str | None = None,
        project: str | None = None,
        custom_fields: Mapping[str, Any] | None = None,
        cache: bool | None = None,
        budget: Budget | None = None,
        workspace: str | None = None,
    ) -> Call[J]:
        """Hand an evaluation to the platform and return the job at once.

        ``dataset`` is rows, or files of rows in a fileset. ``cache=False`` asks every question anew, even where another
        job of the workspace asked it before. ``budget={"tokens": 100000, "cost_usd": 2.5}`` pauses the job once it has
        used so much. Raises ``ConflictError`` if the name is taken or a secret is
        missing, ``UnprocessableEntityError`` if the evaluation cannot be run as described.
        """
        room = workspace or self.workspace
        spec = job_spec(
            metrics,
            dataset,
            workspace=room,
            config=config,
            target=target,
            prompt_template=prompt_template,
            field_mapping=field_mapping,
        )
        told = with_options(custom_fields, cache=cache, budget=budget)
        body = fields(name=name, description=description, project=project, custom_fields=told, spec=spec)
        read = one(JobInfo)
        return Call("POST", path(*ROOT, room, "evaluate", "jobs"), lambda reply: self.open(read(reply)), json=body)

    def compare(
        self,
        jobs: Sequence[str | Job | AsyncJob],
        score: str | None = None,
        *,
        test: TestName = "auto",
        baseline: str | None = None,
        resamples: int = RESAMPLES,
        seed: int = 0,
        changed: int = MOST_CHANGED,
        workspace: str | None = None,
    ) -> Call[Comparison]:
        """Compare two to eight jobs on the rows that they share, as far as these are judged.

        Each with each, or all with the one named by ``baseline``. The test fits the score, McNemar's where it has two
        values, else Wilcoxon's; or name one. ``changed`` is how many of the rows that changed most to list. Raises
        ``NotFoundError``, and ``UnprocessableEntityError`` if two jobs have no row in common.
        """
        room = workspace or next((job.workspace for job in jobs if not isinstance(job, str)), self.workspace)
        body = fields(
            jobs=[job if isinstance(job, str) else job.name for job in jobs],
            score=score,
            test=test,
            baseline=baseline,
            resamples=resamples,
            seed=seed,
            changed=changed,
        )
        read: Callable[[bytes], Comparison] = lambda reply: Comparison.from_wire(orjson.loads(reply))  # noqa: E731
        return Call("POST", path(*ROOT, room, "comparisons"), read, json=body, harmless=True)


class StoredMetrics(Resource[MetricCalls]):
    """Metrics kept under a name."""

    create = Sends(MetricCalls.create)
    retrieve = Sends(MetricCalls.retrieve)
    delete = Sends(MetricCalls.delete)
    list = Lists(MetricCalls.list)


class AsyncStoredMetrics(AsyncResource[MetricCalls]):
    """Metrics kept under a name."""

    create = Awaits(MetricCalls.create)
    retrieve = Awaits(MetricCalls.retrieve)
    delete = Awaits(MetricCalls.delete)
    list = ListsAsync(MetricCalls.list)


class StoredResults(Resource[ResultCalls]):
    """Summaries of finished jobs; they outlive the jobs."""

    retrieve = Sends(ResultCalls.retrieve)
    delete = Sends(ResultCalls.delete)
    list = Lists(ResultCalls.list)


class AsyncStoredResults(AsyncResource[ResultCalls]):
    """Summaries of finished jobs; they outlive the jobs."""

    retrieve = Awaits(ResultCalls.retrieve)
    delete = Awaits(ResultCalls.delete)
    list = ListsAsync(ResultCalls.list)


class Evaluator(Resource[EvaluatorCalls[Job]]):
    """Evaluations."""

    def __init__(self, workspace: str, transport: Transport, jobs: Jobs) -> None:
        super().__init__(EvaluatorCalls(workspace, lambda info: Job(jobs, info)), transport)
        self.metrics = StoredMetrics(MetricCalls(workspace), transport)
        self.results = StoredResults(ResultCalls(workspace), transport)

    run = staticmethod(run_here)
    submit = Sends(EvaluatorCalls[Job].submit)
    compare = Sends(EvaluatorCalls[Job].compare)


class AsyncEvaluator(AsyncResource[EvaluatorCalls[AsyncJob]]):
    """Evaluations."""

    def __init__(self, workspace: str, transport: AsyncTransport, jobs: AsyncJobs) -> None:
        super().__init__(EvaluatorCalls(workspace, lambda info: AsyncJob(jobs, info)), transport)
        self.metrics = AsyncStoredMetrics(MetricCalls(workspace), transport)
        self.results = AsyncStoredResults(ResultCalls(workspace), transport)

    run = staticmethod(run_here_async)
    submit = Awaits(EvaluatorCalls[AsyncJob].submit)
    compare = Awaits(EvaluatorCalls[AsyncJob].compare)
