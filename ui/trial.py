"""A judge tried on a few rows while somebody waits: by the engine, as a job would, but nothing of it is kept."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from assay.jobs.ledger import tokens_of
from assay.jobs.terms import plain_address
from assay.platform import egress
from assay.platform.audit import record
from assay.platform.errors import Conflict
from assay.secrets.store import SecretsMissing, look_up
from assay.secrets.vault import open_secret
from assay.workspaces.models import Workspace
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.reply import text_of
from assay_sdk.engine.result import Call, Row, RowScore, Score
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Metric, RunConfig
from assay_sdk.engine.transport import open_transport

TRIED_ROWS = 3
TOTAL_SECONDS = 50.0
"""Whoever waits gives up after a minute, and so do proxies."""
RETRY = Retry(attempts=2, patience=3, away=TOTAL_SECONDS)
"""A trial says soon what is wrong; a job has more patience."""


@dataclass(frozen=True)
class TriedCall:
    """A request as it was sent, without its headers, and what came back."""

    address: str
    request: dict[str, Any]
    reply: str | None
    response: Any
    tokens: tuple[int, int] | None
    seconds: float
    attempts: int
    asking: int


@dataclass(frozen=True)
class TriedRow:
    """What became of one row."""

    index: int
    item: dict[str, Any]
    scores: list[Score]
    trouble: str
    calls: list[TriedCall]


@dataclass
class Trial:
    """What became of all of them; ``message`` says why some are missing."""

    wanted: int
    rows: list[TriedRow] = field(default_factory=list)
    message: str = ""
    seconds: float = 0.0

    @property
    def tokens(self) -> int | None:
        """The tokens in and out of all calls; None where a server did not say."""
        counted = [call.tokens for row in self.rows for call in row.calls]
        return None if None in counted else sum(sum(each) for each in counted if each)


def try_out(workspace: Workspace, metric: Metric, items: Sequence[dict[str, Any]]) -> Trial:
    """Judge the rows here and now. Raises ``Refusal`` for an address or a secret that is not to be had."""
    for address in metric.addresses():
        egress.check(address)
    keys = _keys(workspace, metric.secret_refs())
    trial = Trial(len(items))
    began = time.monotonic()
    address = plain_address(metric.addresses()[0]) if metric.addresses() else ""
    batch = [Row(index, item) for index, item in enumerate(items)]
    asyncio.run(_judge(batch, metric, keys, trial, address))
    trial.rows.sort(key=lambda row: row.index)
    trial.seconds = time.monotonic() - began
    return trial


async def _judge(batch: list[Row], metric: Metric, keys: dict[str, str], trial: Trial, address: str) -> None:
    waits: list[str | None] = []
    options: dict[str, Any] = {"api_keys": keys, "retry": RETRY, "on_waiting": waits.append}
    try:
        async with asyncio.timeout(TOTAL_SECONDS), aclosing(open_transport(guard=egress.permit)) as wire:
            running = evaluate(batch, [metric], config=RunConfig(parallelism=TRIED_ROWS), transport=wire, **options)
            async with aclosing(running) as scored:
                async for row in scored:
                    trial.rows.append(_tried(row, address))
    except TimeoutError:
        why = f" {waits[-1].rstrip('.')}." if waits and waits[-1] else ""
        trial.message = f"It took longer than {TOTAL_SECONDS:g} seconds, and was stopped.{why}"
    except RunAborted as error:
        trial.message = str(error)


def _keys(workspace: Workspace, references: list[str]) -> dict[str, str]:
    """Open the secrets that the judge needs, for this trial alone."""
    try:
        found = look_up(references, workspace.name)
    except SecretsMissing as error:
        raise Conflict(f"{error}.") from None
    for secret in found.values():
        record("secret.use", secret, after={"for": "a trial"})
    return {reference: open_secret(secret).reveal() for reference, secret in found.items()}


def _tried(row: RowScore, address: str) -> TriedRow:
    scores = [score for listed in row.metrics.values() for score in listed]
    trouble = row.failure.text if row.failure else ""
    return TriedRow(row.index, row.item, scores, trouble, [_call(call, address) for call in row.calls])


def _call(call: Call, address: str) -> TriedCall:
    response = call.response if isinstance(call.response, dict) else None
    path = "/chat/completions" if "messages" in call.request else "/completions"
    return TriedCall(
        address=address + path,
        request=call.request,
        reply=text_of(response) if response else None,
        response=call.response,
        tokens=tokens_of(response) if response else None,
        seconds=call.seconds,
        attempts=call.attempts,
        asking=call.asking,
    )
