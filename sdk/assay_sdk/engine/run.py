"""The run: rows in, row scores out, as they are done."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.caller import Caller
from assay_sdk.engine.delivery import Delivery
from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.flight import Flight, Rows, Stop
from assay_sdk.engine.forms import FormState
from assay_sdk.engine.gate import Gate, Gates, open_gates
from assay_sdk.engine.keys import keys_from_environment
from assay_sdk.engine.pace import Pace, Parallelism, Retry, Waiting
from assay_sdk.engine.replies import NoReplies, Replies
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import RowScore
from assay_sdk.engine.scoring import TARGET, Scoring
from assay_sdk.engine.spec import (
    InferenceParams,
    Metric,
    Model,
    RunConfig,
    RunConfigOnline,
    RunConfigOnlineModel,
    keyed,
)
from assay_sdk.engine.spell import OnWaiting, Spell
from assay_sdk.engine.target import Target, target_settings
from assay_sdk.engine.transport import Transport, open_transport

TIMEOUT_SECONDS = 600.0


async def evaluate(
    rows: Rows,
    metrics: Sequence[Metric] | Mapping[str, Metric],
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
    on_waiting: OnWaiting | None = None,
    parallelism: Parallelism | None = None,
    replies: Replies | None = None,
    gates: Gates = open_gates,
) -> AsyncGenerator[RowScore, None]:
    """Score rows with metrics, and yield each row's scores as soon as they are done, in any order.

    A row that fails is a row score too. With `target` and `prompt_template`, that model first answers each row. Once
    `stop` is set no further row begins: calls in flight are finished, rows waiting for a retry are left out. Raises
    RunAborted when the run cannot succeed as it is set up, after all finished rows have been yielded. A model that is
    away for a while is waited for; `on_waiting` is told why, and None when the run goes on.

    `parallelism` takes the place of the configuration's and may be changed meanwhile. A reply that `replies` holds is
    not asked for again. `gates` let calls out at the pace that an endpoint allows to several runs together.
    """
    config = config or RunConfig()
    parallelism = parallelism or Parallelism(config.parallelism)
    async with _opened(transport) as wire:
        lines = Lines(
            transport=wire,
            api_keys=api_keys or {},
            forms=FormState() if forms is None else forms,
            parallelism=parallelism,
            retry=retry or Retry(),
            timeout=timeout,
            on_waiting=on_waiting or (lambda why: None),
            replies=replies or NoReplies(),
            gates=gates,
        )
        scoring = _scoring(metrics, lines, config, target, prompt_template)
        flight = Flight(
            rows,
            scoring.score,
            waiting=lines.waiting,
            parallelism=parallelism,
            limit=config.limit_samples,
            stop=stop,
        )
        async with aclosing(flight.landed()) as landed:
            async for row_score in landed:
                yield row_score
                if scoring.hopeless:
                    for rest in flight.take_landed():
                        yield rest
                    raise RunAborted(scoring.hopeless.text)


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run: its row scores in the order of the rows, and their aggregates."""

    rows: list[RowScore]
    summary: Summary

    @property
    def aggregates(self) -> dict[str, Any]:
        """The aggregate scores, as they travel on the wire."""
        return self.summary.to_wire()


def run(
    rows: Rows,
    metrics: Sequence[Metric] | Mapping[str, Metric],
    *,
    api_keys: Mapping[str, str] | None = None,
    on_progress: Callable[[RowScore], None] | None = None,
    **options: Any,
) -> RunResult:
    """Evaluate and wait: takes what `evaluate` takes. Works within a running event loop (a notebook) as well.

    Keys that are not given are looked for in the environment. RunAborted carries what was done before it in `result`.
    """
    target = options.get("target")
    secrets = [ref for metric in keyed(metrics).values() for ref in metric.secret_refs()] + (
        target.secret_refs() if target else []
    )
    keys = keys_from_environment(secrets) if api_keys is None else api_keys

    async def collect() -> RunResult:
        result = RunResult([], Summary(metrics))
        try:
            async for row_score in evaluate(rows, metrics, api_keys=keys, **options):
                result.rows.append(row_score)
                result.summary.add(row_score)
                if on_progress:
                    on_progress(row_score)
        except RunAborted as aborted:
            aborted.result = result
            raise
        finally:
            result.rows.sort(key=lambda row_score: row_score.index)
        return result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(collect())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, collect()).result()


@dataclass(slots=True)
class Lines:
    """What the callers of one run share."""

    transport: Transport
    api_keys: Mapping[str, str] = field(repr=False)
    forms: FormState
    parallelism: Parallelism
    retry: Retry
    timeout: float
    waiting: Waiting = field(default_factory=Waiting)
    on_waiting: OnWaiting = lambda why: None
    replies: Replies = field(default_factory=NoReplies)
    gates: Gates = open_gates
    _ways: dict[str, tuple[Pace, Spell, Gate]] = field(default_factory=dict)

    def caller(
        self,
        role: str,
        model: Model,
        inference: InferenceParams | None,
        settings: RequestSettings,
        *,
        timeout: float | None = None,
        retry: Retry | None = None,
    ) -> Caller:
        endpoint = Endpoint.of(role, model, inference, api_keys=self.api_keys, timeout=timeout or self.timeout)
        dialect = self.forms.of(f"{endpoint.model} at {endpoint.address}")
        delivery = self.delivery(endpoint, retry)
        delivery.pace.proven = delivery.pace.proven or dialect.answered
        return Caller(delivery, settings, dialect)

    def delivery(self, endpoint: Endpoint, retry: Retry | None = None) -> Delivery:
        """The way to an endpoint, at the pace of all who call it."""
        name = f"{endpoint.model} at {endpoint.address}"
        if name not in self._ways:
            self._ways[name] = self._pace(), self._spell(), self.gates(endpoint)
        pace, spell, gate = self._ways[name]
        return Delivery(endpoint, self.transport, pace, retry or self.retry, self.waiting, spell, gate, self.replies)

    def _pace(self) -> Pace:
        pace = Pace(self.parallelism.value)
        self.parallelism.on_change(lambda: pace.resize(self.parallelism.value))
        return pace

    def _spell(self) -> Spell:
        whole_round = max(4, min(self.parallelism.value, 16))
        return Spell(whole_round, self.retry.away, self.retry.base, self.retry.probe, self.on_waiting)


def _scoring(
    metrics: Sequence[Metric] | Mapping[str, Metric],
    lines: Lines,
    config: RunConfig,
    target: Model | None,
    prompt_template: str | dict[str, Any] | None,
) -> Scoring:
    by_key = keyed(metrics)
    tolerant = {key for key, metric in by_key.items() if metric.ignore_request_failure}
    if isinstance(config, RunConfigOnline) and config.ignore_request_failure:
        tolerant.add(TARGET)
    scorers = {key: metric.scorer(lines, online=target is not None) for key, metric in by_key.items()}
    return Scoring(scorers, _target(target, prompt_template, config, lines), frozenset(tolerant))


def _target(
    model: Model | None, prompt_template: str | dict[str, Any] | None, config: RunConfig, lines: Lines
) -> Target | None:
    if model is None:
        return None
    if prompt_template is None:
        raise RunAborted("A target model needs a prompt_template, which tells what to ask it.")
    if not isinstance(config, RunConfigOnline):
        raise RunAborted("A target model needs an online run configuration (RunConfigOnlineModel).")
    online = config
    if not isinstance(online, RunConfigOnlineModel):
        online = RunConfigOnlineModel.model_validate(config.model_dump(by_alias=True))
    attempts = online.max_retries + 1
    patience = attempts if attempts == 1 else max(attempts, lines.retry.patience)
    retry = replace(lines.retry, attempts=attempts, patience=patience)
    settings = target_settings(model, online)
    caller = lines.caller(TARGET, model, online.inference, settings, timeout=online.request_timeout, retry=retry)
    return Target(prompt_template, caller, online.reasoning)


@asynccontextmanager
async def _opened(transport: Transport | None) -> AsyncIterator[Transport]:
    if transport is not None:
        yield transport
        return
    async with aclosing(open_transport()) as own:
        yield own
