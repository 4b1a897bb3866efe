"""A judge whose name leads elsewhere once it was checked: what jobs, live evaluations and trials make of it."""

import ast
import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from assay.jobs.models import State
from assay.jobs.run import work
from assay.platform.egress import EgressRefused, permit
from assay.ui.trial import try_out
from assay.workspaces.models import Workspace
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.result import Row, RowScore
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import RunConfig, parse_metric
from assay_sdk.engine.transport import open_transport
from tests.jobs.made import BUNDLES_SPEC, job_in
from tests.names import Names

ROOT = Path(__file__).resolve().parent.parent.parent
METADATA, PUBLIC, HERE = "169.254.169.254", "93.184.216.34", "127.0.0.1"
REFUSED = (
    r"Host 'judge\.test:\d+' is not in the allowed external hosts list: it leads to a cloud metadata or link-local"
)
ROWS = [{"prompt": "a", "response": "b"}, {"prompt": "c", "response": "d"}]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


class Judge(ThreadingHTTPServer):
    """Scores every row 3, over a new connection each time."""

    def __init__(self) -> None:
        super().__init__((HERE, 0), _Answer)
        self.calls = 0
        self.moved_to: str | None = None

    @property
    def url(self) -> str:
        return f"http://judge.test:{self.server_address[1]}/v1/chat/completions?key=sk-query"


class _Answer(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self) -> None:
        self.server.calls += 1
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": '{"helpfulness": 3}'}
        body = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(307 if self.server.moved_to else 200)
        if self.server.moved_to:
            self.send_header("Location", self.server.moved_to)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def judge() -> Iterator[Judge]:
    with Judge() as server:
        serving = Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def definition(judge: Judge) -> dict[str, Any]:
    metric: dict[str, Any] = BUNDLES_SPEC["metrics"][0]["payload"]["metric"]
    model = {"url": judge.url, "name": "m"}
    return metric | {"model": model, "structured_output": None, "ignore_request_failure": False}


@pytest.fixture(autouse=True)
def open_house(settings: Settings) -> None:
    settings.AUTH, settings.EGRESS_ALLOW, settings.EGRESS_DENY = False, [], []


@pytest.mark.django_db(transaction=True)
def test_a_job_says_so_and_ends(workspace: Workspace, judge: Judge, names: Names) -> None:
    names.lead("judge.test", HERE, METADATA)
    job = job_in(workspace, metrics=[definition(judge)])
    work(job.pk)
    job.refresh_from_db()
    assert (job.state, judge.calls) == (State.ERROR, 0)
    assert re.search(REFUSED, job.error)
    assert "sk-query" not in job.error + job.message
    assert len(names.asked) <= 1 + len(ROWS), "looked up once to check, and once for each row: no call was tried again"


@pytest.mark.django_db(transaction=True)
def test_a_job_is_judged_by_a_judge_that_stays_where_it_is(workspace: Workspace, judge: Judge, names: Names) -> None:
    names.lead("judge.test", HERE)
    job = job_in(workspace, metrics=[definition(judge)])
    work(job.pk)
    job.refresh_from_db()
    assert (job.state, judge.calls) == (State.COMPLETED, 2)


@pytest.mark.django_db
def test_a_trial_is_refused(workspace: Workspace, judge: Judge, names: Names, settings: Settings) -> None:
    settings.AUTH = True
    names.lead("judge.test", PUBLIC, HERE)
    with pytest.raises(EgressRefused, match="in a private network") as refused:
        try_out(workspace, parse_metric(definition(judge)), ROWS)
    assert judge.calls == 0
    assert "sk-query" not in refused.value.reason
    names.lead("judge.test", HERE)
    settings.EGRESS_ALLOW = ["judge.test"]
    assert [row.scores[0].value for row in try_out(workspace, parse_metric(definition(judge)), ROWS).rows] == [3, 3]


@pytest.mark.django_db
def test_a_live_evaluation_is_refused(client: APIClient, judge: Judge, names: Names) -> None:
    names.lead("judge.test", HERE, METADATA)
    score = {"type": "regex", "pattern": "([0-9])"}
    asked = {
        "type": "llm-judge",
        "params": {
            "model": {"api_endpoint": {"url": judge.url, "model_id": "m"}},
            "template": {"messages": [{"role": "user", "content": "Rate {{ item.prompt }}"}]},
            "scores": {"m": {"type": "int", "parser": score}},
        },
    }
    body = {
        "config": {"type": "custom", "tasks": {"t": {"type": "data", "metrics": {"m": asked}}}},
        "target": {"type": "rows", "rows": ROWS},
    }
    reply = client.post("/v1/evaluation/live", json.dumps(body), content_type="application/json")
    assert (reply.status_code, judge.calls) == (400, 0)
    assert re.search(REFUSED, reply.json()["detail"])
    assert "sk-query" not in reply.content.decode()


def judged(judge: Judge, rows: int) -> list[RowScore]:
    """Return what an engine makes of the rows, one after the other, under the platform's rules."""

    async def run() -> list[RowScore]:
        async with aclosing(open_transport(guard=permit)) as wire:
            batch = [Row(index, ROWS[0]) for index in range(rows)]
            metric = parse_metric(definition(judge))
            scored = evaluate(batch, [metric], config=RunConfig(parallelism=1), transport=wire)
            return [row async for row in scored]

    return asyncio.run(run())


def test_a_name_that_changes_in_the_middle_of_a_run_ends_it(judge: Judge, names: Names) -> None:
    names.lead("judge.test", HERE, HERE, METADATA)
    with pytest.raises(EgressRefused, match=REFUSED):
        judged(judge, 5)
    assert (judge.calls, len(names.asked)) == (2, 3)


def test_a_redirect_to_the_metadata_service_is_an_answer_like_any_other(judge: Judge, names: Names) -> None:
    names.lead("judge.test", HERE)
    judge.moved_to = f"http://{METADATA}/latest/meta-data"
    with pytest.raises(RunAborted, match=r"rejected the request \(307\)"):
        judged(judge, 5)


@pytest.mark.parametrize("place", [METADATA, "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_the_metadata_service_gets_past_the_connection(scheme: str, place: str) -> None:
    """Even where nobody checked the URL before."""

    async def call() -> None:
        async with aclosing(open_transport(guard=permit)) as wire:
            await wire.post(f"{scheme}://{place}/latest/meta-data", headers={}, body=b"", timeout=5)

    with pytest.raises(EgressRefused):
        asyncio.run(call())


def test_every_call_of_the_platform_is_made_under_its_rules() -> None:
    """Whoever has the engine call out hands it a transport, and whoever opens one gives it the guard."""
    wanted = {"evaluate": "transport", "open_transport": "guard"}
    found = []
    for path in (each for folder in ("evaluator", "jobs", "platform", "ui") for each in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in wanted:
                given = {keyword.arg for keyword in node.keywords}
                found.append((path.name, node.func.id, wanted[node.func.id] in given))
    # A worker opens one to have it imported, and calls nobody.
    assert [each for each in found if not each[2]] == [("worker.py", "open_transport", False)]
    assert {"shard_run.py", "live.py", "trial.py"} <= {name for name, _, _ in found}
