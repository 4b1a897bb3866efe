"""Evaluate a few rows while the caller waits; nothing of it is kept (microservices-v1 section 9)."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from django.utils import timezone
from pydantic import BaseModel

from assay.evaluator.custom import Evaluation, Task, translate
from assay.evaluator.custom_models import reference_of
from assay.evaluator.sealing import SEALED, sealed_secrets
from assay.filesets import rows
from assay.jobs.custom_results import tree_of
from assay.jobs.models import Dialect, Job, JobPart
from assay.jobs.parts import Part, part_from
from assay.jobs.plan import Unplannable, find_rows, pin
from assay.jobs.submit_v1 import read_both
from assay.platform import egress
from assay.platform.api import wire_time
from assay.platform.errors import Invalid
from assay.platform.ids import new_id
from assay.platform.v1 import DEFAULT_NAMESPACE, KEYS, Fault, fault
from assay.secrets.vault import open_secret
from assay.workspaces.models import Workspace
from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.result import Row
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig, parse_metric
from assay_sdk.engine.transport import open_transport

TOTAL_SECONDS = 50.0
"""Clients give up after a minute."""
MOST_ROWS = 1000
MOST_JUDGED = 10
"""Rows, where a model judges them."""
LIVE_TARGETS = ("rows", "dataset")


class LiveReply(BaseModel):
    status: str
    status_details: dict[str, Any]
    result: dict[str, Any]
    logs: dict[str, Any]


def evaluate_live(
    config: str | Mapping[str, Any], target: str | Mapping[str, Any], *, own_hosts: frozenset[str]
) -> dict[str, Any]:
    """Return the scores, as ``LiveReply`` has them. Raises ``Invalid`` with every fault."""
    given = {"config": config, "target": target}
    named = [name for name, body in given.items() if isinstance(body, str)]
    if named:
        raise Invalid([fault(["body", name], "A live evaluation takes it inline only.") for name in named])
    keys: dict[str, str] = {}
    snapshots = {name: _without_keys(body, keys) for name, body in read_both(given).items()}
    evaluation = translate(snapshots["config"], snapshots["target"], own_hosts=own_hosts)
    _check_kind(snapshots["config"], snapshots["target"])
    sealed = sealed_secrets(evaluation.models)
    parts = [_part(evaluation, task, index) for index, task in enumerate(evaluation.tasks)]
    read = [_rows(part) for part in parts]
    for part in parts:
        for metric in part.metrics.values():
            for address in metric.addresses():
                egress.check(address)
    for reference, secret in sealed.items():
        keys[reference_of({SEALED: reference})] = open_secret(secret).reveal()
    run = Live(evaluation, parts, read, keys)
    message = run.go()
    return _reply(snapshots["config"], run, message)


class Live:
    """One run over rows that are in memory."""

    def __init__(
        self, evaluation: Evaluation, parts: list[Part], read: list[list[dict[str, Any]]], keys: dict[str, str]
    ) -> None:
        self.evaluation = evaluation
        self.parts = parts
        self.read = read
        self.keys = keys
        self.metrics = {key: metric for part in parts for key, metric in part.metrics.items()}
        self.summary = Summary(self.metrics)
        self.tasks = {part.name: "pending" for part in parts}
        self.done = 0
        self.first_error = ""

    def go(self) -> str:
        """Evaluate, and return why that failed, or nothing."""
        try:
            asyncio.run(self._all())
        except TimeoutError:
            return f"It took longer than {TOTAL_SECONDS:g} seconds; make a job of it."
        scored = any(len(score.values) for scores in self.summary.scores.values() for score in scores.values())
        return "" if scored or not self.first_error else f"No row could be scored. The first reason: {self.first_error}"

    async def _all(self) -> None:
        async with asyncio.timeout(TOTAL_SECONDS), aclosing(open_transport(guard=egress.permit)) as wire:
            for part, items in zip(self.parts, self.read, strict=True):
                self.tasks[part.name] = "running"
                batch: list[Row] = [part.row(index, item) for index, item in enumerate(items)]
                config = RunConfig(parallelism=self.evaluation.parallelism)
                options = part.patience()
                async for row in evaluate(
                    batch, part.metrics, config=config, transport=wire, api_keys=self.keys, **options
                ):
                    self.summary.add(row)
                    self.done += 1
                    self.first_error = self.first_error or (row.failure.text if row.failure else "")
                self.tasks[part.name] = "completed"


def _check_kind(config: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    faults: list[Fault] = []
    for name, task in config["tasks"].items():
        if task["type"] != "data":
            faults.append(fault(["body", "config", "tasks", name, "type"], "A live evaluation has data tasks only."))
    if target["type"] not in LIVE_TARGETS:
        faults.append(fault(["body", "target", "type"], f"A live evaluation takes {' or '.join(LIVE_TARGETS)}."))
    if faults:
        raise Invalid(faults)


def _without_keys(body: Any, keys: dict[str, str]) -> Any:
    """Return ``body`` with a name in the place of each key, and put the keys into ``keys`` by that name."""
    if isinstance(body, list):
        return [_without_keys(entry, keys) for entry in body]
    if not isinstance(body, dict):
        return body
    found = {}
    for name, value in body.items():
        if name in KEYS and isinstance(value, str) and value:
            reference = f"live-{len(keys)}"
            keys[reference] = value
            value = {SEALED: f"{DEFAULT_NAMESPACE}/{reference}"}
        found[name] = value if name in KEYS else _without_keys(value, keys)
    return found


def _part(evaluation: Evaluation, task: Task, index: int) -> Part:
    """Return the task as a part of a job that is never saved."""
    job = Job(workspace=Workspace(name=DEFAULT_NAMESPACE), dialect=Dialect.CUSTOM, spec={}, submitted={})
    stored = JobPart(job=job, index=index, name=task.name, params=task.params, rows=task.rows, dataset=task.dataset)
    if task.rows is None:
        try:
            pin(stored)
        except Unplannable as error:
            raise Invalid(str(error)) from None
    metrics = {task.key(name): parse_metric(definition) for name, definition in task.metrics.items()}
    return part_from(job, stored, metrics)


def _rows(part: Part) -> list[dict[str, Any]]:
    """Return the rows of a task; raises ``Invalid`` where they are more than a caller would wait for."""
    most = MOST_JUDGED if any(metric.calls_per_row() for metric in part.metrics.values()) else MOST_ROWS
    if part.inline is not None:
        found = part.inline
    else:
        assert part.fileset is not None
        try:
            planned = find_rows(part, most=most + 1)
            stop = part.offset + planned.rows
            read = rows.stream(part.fileset, part.revision, planned.inputs, part.offset, stop, part.reading)
            found = [item for _, item in read]
        except (Unplannable, rows.RowsUnreadable) as error:
            raise Invalid(str(error)) from None
    if len(found) > most:
        raise Invalid(f"Task '{part.name}' has more than the {most} rows that are evaluated live; make a job of it.")
    return found


def _reply(config: Mapping[str, Any], run: Live, message: str) -> dict[str, Any]:
    now = wire_time(timezone.now())
    total = sum(map(len, run.read))
    tasks = {name: "failed" if message and word != "completed" else word for name, word in run.tasks.items()}
    tree = tree_of(config, {part.name: list(part.metrics) for part in run.parts}, run.summary)
    about = {"job": new_id("eval"), "id": new_id("evaluation_result"), "created_at": now, "updated_at": now}
    return {
        "status": "failed" if message else "completed",
        "status_details": {
            "message": message or "Job completed successfully.",
            "task_status": tasks,
            "progress": round(100.0 * run.done / total, 2) if message else 100.0,
        },
        "result": {**about, "namespace": DEFAULT_NAMESPACE, "custom_fields": {}, **tree},
        "logs": {name: {} for name in tasks},
    }
