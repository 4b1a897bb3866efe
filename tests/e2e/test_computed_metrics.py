"""Jobs whose metrics need no judge: computed from the row, or by a service of one's own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from rest import scores, submit, wait

from assay_sdk.engine.result import Row
from assay_sdk.engine.run import run
from assay_sdk.engine.spec import parse_metric

ROWS = [
    {
        "gold": "the barge drifted past the mill",
        "alt": "a barge passed the mill at noon",
        "output": "barge drifted past",
    },
    {"gold": "-5", "alt": "minus five", "output": "5"},
    {"gold": "blue door", "alt": "door", "output": "Blue door."},
    {"gold": 7, "alt": "seven", "output": "seven"},
]
COMPUTED = [
    {"type": "f1", "reference": "{{item.gold}}"},
    {"type": "exact-match", "reference": "{{item.gold}}"},
    {"type": "bleu", "references": ["{{item.gold}}", "{{item.alt}}"]},
    {"type": "rouge", "reference": "{{item.alt}}"},
    {"type": "number-check", "operation": "<", "left_template": "{{item.output}}", "right_template": "10"},
    {"type": "string-check", "operation": "contains", "left_template": "{{item.alt}}", "right_template": "o"},
]


def bundled(definition: dict[str, Any], **secrets: str) -> dict[str, Any]:
    metric = parse_metric(definition)
    return {
        "metric_type": metric.type,
        "outputs": [output.model_dump() for output in metric.outputs()],
        "secrets": secrets,
        "payload": {"kind": "inline", "metric": definition},
    }


def test_a_job_gives_the_scores_of_a_local_run_to_the_last_digit(api: httpx.Client) -> None:
    metrics = [bundled(definition) for definition in COMPUTED]
    submit(api, {"dataset": ROWS, "params": {"parallelism": 4}, "metrics": metrics}, "computed")
    ended = wait(api, "computed")
    assert ended["status"] == "completed", ended
    aggregates, judged = scores(api, "computed")
    local = run([Row(index, item) for index, item in enumerate(ROWS)], [parse_metric(each) for each in COMPUTED])
    assert [row["metrics"] for row in judged] == [row.to_wire()["metrics"] for row in local.rows]
    assert aggregates == [
        {name: value for name, value in each.items() if name not in ("median", "sample_std_dev", "sample_variance")}
        for each in local.aggregates["scores"]
    ]
    by_name = {each["name"]: each for each in aggregates}
    assert (by_name["exact-match.exact-match"]["sum"], by_name["exact-match.exact-match"]["nan_count"]) == (1.0, 1)
    assert by_name["bleu.corpus"]["count"] == 1
    assert "'{{item.gold}}' gives 7, which is no text" in judged[3]["metric_errors"]["f1"]


def test_outputs_that_are_not_the_metrics_own_are_refused(api: httpx.Client) -> None:
    wrong = bundled(COMPUTED[0]) | {"outputs": bundled(COMPUTED[1])["outputs"]}
    spec = {"dataset": ROWS, "metrics": [wrong]}
    reply = api.post("/apis/evaluator/v2/workspaces/default/evaluate/jobs", json={"name": "wrong", "spec": spec})
    assert reply.status_code == 422
    assert "mismatched fields" in reply.text


@contextmanager
def grading(key: str) -> Iterator[str]:
    """A service that gives each answer its length, to those who have the key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            allowed = self.headers["authorization"] == f"Bearer {key}"
            reply = {"grades": [{"value": len(body["answer"])}]} if allowed else {"error": "who are you?"}
            content = json.dumps(reply).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/grade"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_service_grades_with_a_stored_key(api: httpx.Client) -> None:
    secret = {"name": "grader-key", "value": "grader-secret-1"}
    api.post("/apis/secrets/v2/workspaces/default/secrets", json=secret).raise_for_status()
    with grading("grader-secret-1") as url:
        definition = {
            "type": "remote",
            "url": url,
            "body": {"answer": "{{item.output}}"},
            "api_key_secret": "grader-key",
            "scores": [{"name": "length", "parser": {"type": "json", "json_path": "$.grades[*].value"}}],
        }
        submit(api, {"dataset": ROWS, "metrics": [bundled(definition, grader_key="grader-key")]}, "graded")
        assert wait(api, "graded")["status"] == "completed"
    aggregates, judged = scores(api, "graded")
    assert [row["metrics"]["remote"] for row in judged] == [
        [{"name": "length", "value": float(len(row["output"]))}] for row in ROWS
    ]
    assert aggregates[0]["name"] == "remote.length"
    assert "grader-secret-1" not in json.dumps(judged)
    blocked = api.delete("/apis/secrets/v2/workspaces/default/secrets/grader-key")
    assert blocked.status_code == 409, "a finished job still names it"
