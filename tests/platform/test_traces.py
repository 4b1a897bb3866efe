"""A request that becomes a job, followed through the web server and a worker: by spans, by log lines, by counts."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.chaos.trial import until
from tests.judge import JudgeProcess
from tests.platform_process import ROOT, PlatformProcess
from tests.rest import bundle, wait

ROWS = 6
KEY = "judge-key-of-traces"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRETS = "/apis/secrets/v2/workspaces/default/secrets"
JOBS = "/apis/evaluator/v2/workspaces/default/evaluate/jobs"
ROUTE = "/apis/evaluator/v2/workspaces/<str:workspace>/evaluate/jobs"


class Collector(ThreadingHTTPServer):
    """Takes spans as an OpenTelemetry collector does: OTLP over HTTP, in protobuf."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[tuple[str, Span]]:
        """Return the spans that came, each with the kind of process that it is of."""
        found = []
        for body in self.bodies:
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                process = attributes(sent.resource)["assay.process"]
                found += [(process, span) for scope in sent.scope_spans for span in scope.spans]
        return found


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *said: Any) -> None:
        pass


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector
        collector.shutdown()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[PlatformProcess]:
    """A platform that has judged a job of six rows, and has ended; its counts are in ``counts.txt``."""
    folder = tmp_path_factory.mktemp("traces")
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "ASSAY_LOG_FORMAT": "json"}
    with JudgeProcess(api_key=KEY) as judge, PlatformProcess(folder / "data", **env) as running:
        with httpx.Client(base_url=running.url, timeout=30) as api:
            # A job that waits for a worker for long is found by a sweep, which knows of no request.
            until(lambda: "assay_workers 1.0" in api.get("/metrics").text, 60, "a worker")
            api.post(SECRETS, json={"name": "judge-key", "value": KEY}).raise_for_status()
            items = [{"prompt": f"a prompt to be kept secret {n}", "response": "x"} for n in range(ROWS)]
            spec = {"dataset": items, "metrics": [bundle(judge.url, secret="judge-key", model="the-judge")]}
            headers = {"X-Request-ID": "order-66", "traceparent": f"00-{TRACE}-{PARENT}-01"}
            reply = api.post(JOBS, json={"name": "traced", "spec": spec}, headers=headers)
            assert reply.status_code == 201 and reply.headers["X-Request-ID"] == "order-66"
            assert wait(api, "traced")["status"] == "completed"
            (folder / "counts.txt").write_text(api.get("/metrics").raise_for_status().text)
        running.stop()
        yield running


@pytest.fixture(scope="module")
def traced(platform: PlatformProcess, collector: Collector) -> list[tuple[str, Span]]:
    """The spans of the request's trace; others are of other requests."""
    return [(process, span) for process, span in collector.spans() if span.trace_id.hex() == TRACE]


@pytest.mark.thorough
def test_spans_lead_from_the_request_to_each_call(traced: list[tuple[str, Span]]) -> None:
    names = {span.span_id: span.name for _, span in traced}
    (request,) = (span for process, span in traced if process == "web")
    assert (request.name, request.parent_span_id.hex(), request.kind) == (
        f"POST {ROUTE}",
        PARENT,
        Span.SPAN_KIND_SERVER,
    )
    told = attributes(request)
    assert (told["http.route"], told["http.response.status_code"]) == (ROUTE, 201)
    assert told["assay.request_id"] == "order-66"
    works = [span for process, span in traced if process == "worker"]
    for name in ("plan job", "judge shard", "finish job"):
        (work,) = (span for span in works if span.name == name)
        assert work.parent_span_id == request.span_id
        assert attributes(work)["assay.job"] == "default/traced"
    calls = [span for span in works if span.name == "call judge"]
    assert len(calls) == ROWS
    for call in calls:
        told = attributes(call)
        assert names[call.parent_span_id] == "judge shard"
        assert (told["gen_ai.request.model"], told["http.response.status_code"]) == ("the-judge", 200)
        assert told["gen_ai.usage.input_tokens"] > 0 and told["gen_ai.usage.output_tokens"] > 0
        assert (told["assay.job"], told["assay.shard"]) == ("default/traced", "0")
        assert call.end_time_unix_nano > call.start_time_unix_nano


@pytest.mark.thorough
def test_spans_hold_no_prompt_and_no_key(platform: PlatformProcess, collector: Collector) -> None:
    sent = b"".join(collector.bodies)
    assert b"traced" in sent
    for hidden in ("a prompt to be kept secret", KEY, "Rate 0-4"):
        assert hidden.encode() not in sent


@pytest.mark.thorough
def test_log_lines_name_the_request_and_the_job(platform: PlatformProcess) -> None:
    lines = [json.loads(line) for line in platform.log.read_text().splitlines() if line.startswith("{")]
    mine = [line for line in lines if line.get("request_id") == "order-66"]
    (posted,) = (line for line in mine if line["logger"] == "assay.access")
    assert (posted["method"], posted["route"], posted["status"]) == ("POST", ROUTE, 201)
    moves = [line for line in mine if line["logger"] == "assay.jobs.states"]
    assert [line["message"].rpartition(" ")[2] for line in moves] == ["pending", "active", "completed"]
    assert {line["job"] for line in moves} == {"default/traced"}
    assert {line["trace_id"] for line in [posted, *moves]} == {TRACE}
    assert KEY not in platform.log.read_text()


@pytest.mark.thorough
def test_counts_of_both_processes_are_read_at_one_place(platform: PlatformProcess) -> None:
    text = (platform.data_dir.parent / "counts.txt").read_text()
    for line in (
        f'assay_http_requests_total{{method="POST",route="{ROUTE}",status="2xx"}} 1.0',
        f'assay_calls_total{{outcome="ok",role="judge"}} {float(ROWS)}',
        f'assay_rows_total{{result="scored"}} {float(ROWS)}',
        'assay_job_moves_total{state="completed"} 1.0',
        'assay_processes{kind="web"} 1.0',
        'assay_processes{kind="worker"} 1.0',
        "assay_workers 1.0",
    ):
        assert line in text.splitlines(), line
    assert "traced" not in text and "the-judge" not in text


NOT_WANTED = "import sys; from assay.platform import traces; traces.start('web'); print(*sys.modules)"
NOT_THERE = "import sys; sys.modules['opentelemetry'] = None; from assay.platform import traces; traces.start('web')"


def test_where_it_is_not_wanted_nothing_is_loaded() -> None:
    loaded = python(NOT_WANTED).stdout.split()
    assert "assay.platform.traces" in loaded
    assert not [name for name in loaded if name.startswith(("opentelemetry", "google.protobuf", "requests"))]


def test_where_its_packages_are_missing_a_line_says_so() -> None:
    said = python(NOT_THERE, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (said.returncode, said.stdout) == (0, "")
    assert "pip install -r requirements-team.txt" in said.stderr


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**clean, **env}, capture_output=True, text=True)
