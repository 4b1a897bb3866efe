"""Evaluations in this process, through the engine that the platform runs as well: the same input, the same scores."""

from collections.abc import Mapping
from typing import Any

from assay_sdk.client.progress import progress_for
from assay_sdk.client.result import EvaluationResult
from assay_sdk.client.submission import Metrics, Rows, listed
from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.keys import keys_from_environment
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import RunResult, evaluate, run
from assay_sdk.engine.spec import Metric, Model, RunConfig


class LocalRun:
    """What a local run was asked for, checked, and how far it is."""

    def __init__(self, metrics: Metrics, dataset: Rows, config: RunConfig | None, progress: bool) -> None:
        self.metrics = [metric for metric in listed(metrics) if isinstance(metric, Metric)]
        if len(self.metrics) < len(listed(metrics)):
            raise ValueError("a stored metric cannot be run here: give its definition, or submit a job")
        if isinstance(dataset, str) or not all(isinstance(row, Mapping) for row in dataset):
            raise ValueError(
                "a local run takes its rows as a list of dictionaries; submit a job for files in a fileset"
            )
        self.rows = [Row(index, dict(item)) for index, item in enumerate(dataset)]
        self.config = config or RunConfig()
        self._total = min(len(self.rows), self.config.limit_samples or len(self.rows))
        self._done = 0
        self._progress = progress_for("judging", progress)

    def count(self, _: RowScore) -> None:
        """Note that a row is done."""
        self._done += 1
        self._progress.show(self._done, self._total)

    def __enter__(self) -> "LocalRun":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close(f"{self._done} of {self._total} rows judged")


def run_here(
    metrics: Metrics,
    dataset: Rows,
    *,
    config: RunConfig | None = None,
    api_keys: Mapping[str, str] | None = None,
    target: Model | None = None,
    prompt_template: str | dict[str, Any] | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Judge rows in this process and return what it came to; the platform takes no part in it.

    ``api_keys`` maps the names of secrets to keys; without it they are looked for in the environment (``my-key`` as
    ``MY_KEY``). Raises ``RunAborted`` if the run cannot succeed as it is set up.
    """
    with LocalRun(metrics, dataset, config, progress) as local:
        options: dict[str, Any] = {"config": local.config, "target": target, "prompt_template": prompt_template}
        result = run(local.rows, local.metrics, api_keys=api_keys, on_progress=local.count, **options)
    return EvaluationResult.of_run(result)


async def run_here_async(
    metrics: Metrics,
    dataset: Rows,
    *,
    config: RunConfig | None = None,
    api_keys: Mapping[str, str] | None = None,
    target: Model | None = None,
    prompt_template: str | dict[str, Any] | None = None,
    progress: bool = True,
) -> EvaluationResult:
    """Judge rows in this process and return what it came to; the platform takes no part in it.

    ``api_keys`` maps the names of secrets to keys; without it they are looked for in the environment (``my-key`` as
    ``MY_KEY``). Raises ``RunAborted`` if the run cannot succeed as it is set up. Cancelling ends the calls in flight.
    """
    with LocalRun(metrics, dataset, config, progress) as local:
        wanted = [ref for metric in local.metrics for ref in metric.secret_refs()]
        wanted += target.secret_refs() if target else []
        keys = keys_from_environment(wanted) if api_keys is None else api_keys
        result = RunResult([], Summary(local.metrics))
        options: dict[str, Any] = {"config": local.config, "target": target, "prompt_template": prompt_template}
        async for row_score in evaluate(local.rows, local.metrics, api_keys=keys, **options):
            result.rows.append(row_score)
            result.summary.add(row_score)
            local.count(row_score)
        result.rows.sort(key=lambda row_score: row_score.index)
    return EvaluationResult.of_run(result)
