"""The run: rows in, row scores out, as they are done."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.caller import Caller, Endpoint
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.failfast import FailFast
from assay_sdk.engine.flight import Flight, Rows, Stop
from assay_sdk.engine.forms import FormState
from assay_sdk.engine.judge import Judge, judge_settings
from assay_sdk.engine.pace import Pace, Retry
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import Call, Failure, Row, RowScore, Score, ScoreState
from assay_sdk.engine.spec import (
    InferenceParams,
    LLMJudgeMetric,
    Metric,
    Model,
    RunConfig,
    RunConfigOnline,
    RunConfigOnlineModel,
    metric_keys,
)
from assay_sdk.engine.target import Target, target_settings
from assay_sdk.engine.transport import HttpxTransport, Transport

TIMEOUT_SECONDS = 600.0
TARGET = "target"

T = TypeVar("T")


async def evaluate(
    rows: Rows,
    metrics: Sequence[Metric],
    *,
    config: RunConfig | None = None,
    transport: Transport | None = None,
    api_keys: Mapping[str, str] | None = None,
    forms: FormState | None = None,
    stop: Stop | None = None,
    target: Model | None = None,
    prompt_template: str | dict[str, Any] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    retry: Retry | None = None,
) -> AsyncIterator[RowScore]:
    """Score rows with metrics, and yield each row's scores as soon as they are done, in any order.

    A row that fails is a row score too. With `target` and `prompt_template`, that model first answers each row. Once
    `stop` is set no further row begins: calls in flight are finished, rows waiting for a retry are left out. Raises
    RunAborted when the run cannot succeed as it is set up, after all finished rows have been yielded.
    """
    config = config or RunConfig()
    own = transport is None
    transport = transport or HttpxTransport()
    try:
        run = _Run(metrics, config, transport, api_keys or {}, forms or FormState(), target, prompt_template, timeout, retry)
        flight = Flight(rows, run.score, parallelism=config.parallelism, limit=config.limit_samples, stop=stop)
        run.open(flight)
        async with aclosing(flight.landed()) as landed:
            async for row_score in landed:
                yield row_score
                if hopeless := run.hopeless(row_score):
                    for rest in flight.take_landed():
                        yield rest
                    raise RunAborted(hopeless.text)
    finally:
        if own and isinstance(transport, HttpxTransport):
            await transport.aclose()


class _Run:
    """What all rows of one run share: the callers, the scorers, the watch on failures."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        config: RunConfig,
        transport: Transport,
        api_keys: Mapping[str, str],
        forms: FormState,
        target: Model | None,
        prompt_template: str | dict[str, Any] | None,
        timeout: float,
        retry: Retry | None,
    ) -> None:
        self._config = config
