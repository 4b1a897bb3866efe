"""Jobs that judge by samples, panels, comparison and expectation give what a local run gives, to the last digit."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from rest import scores, submit, wait

from assay_sdk.client.submission import bundle
from assay_sdk.engine.result import Row
from assay_sdk.engine.run import run
from assay_sdk.engine.spec import Metric, parse_metric

ROWS = [{"q": "x" * n, "answer_a": "a" * n, "answer_b": "b" * (5 - n)} for n in range(1, 5)]


class Judge(BaseHTTPRequestHandler):
    """Its verdict depends on nothing but the model asked for and the length of what it is shown."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        if "First answer:" in text:
            first, second = text.split("First answer:\n")[1].split("\n\nSecond answer:\n")
            verdict = '{"better": "first"}' if len(first) > len(second) else '{"better": "second"}'
        else:
            verdict = json.dumps({"clarity": (len(text) + len(body["model"])) % 5})
        choice: dict[str, Any] = {"message": {"role": "assistant", "content": verdict}, "finish_reason": "stop"}
        if body.get("logprobs"):
            grade = verdict[-2]
            options = [
                {"token": grade, "logprob": math.log(0.75)},
                {"token": "2" if grade != "2" else "3", "logprob": math.log(0.25)},
            ]
            pieces = [(verdict[:-2], []), (grade, options), ("}", [])]
            content = [{"token": t, "logprob": math.log(0.75) if o else 0, "top_logprobs": o} for t, o in pieces]
            choice["logprobs"] = {"content": content}
        reply = json.dumps({"choices": [choice] * body.get("n", 1)}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def judging() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Judge)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def metrics(url: str) -> list[Metric]:
    prompt = {"messages": [{"role": "user", "content": "{{item.q}}"}]}
    score = {"name": "clarity", "minimum": 0, "maximum": 4}

    def judge(name: str, **more: Any) -> dict[str, Any]:
        model = {"url": url, "name": name}
        return {"type": "llm-judge", "model": model, "scores": [score], "prompt_template": prompt, **more}

    return [
        parse_metric(definition)
        for definition in (
            {"type": "panel", "judges": [judge("m"), judge("mm"), judge("mmm")]},
            {"type": "self-consistency", "judge": judge("m"), "samples": 3},
            {"type": "pairwise", "model": {"url": url, "name": "m"}},
            judge("m", expectation={"mode": "require"}),
        )
    ]


def test_a_job_judges_as_a_local_run_does(api: httpx.Client) -> None:
    with judging() as url:
        wanted = metrics(url)
        submit(api, {"dataset": ROWS, "metrics": [bundle(metric) for metric in wanted]}, "methods")
        ended = wait(api, "methods")
        assert ended["status"] == "completed", ended
        aggregates, judged = scores(api, "methods")
        local = run([Row(index, item) for index, item in enumerate(ROWS)], wanted)
    assert [row["metrics"] for row in judged] == [row.to_wire()["metrics"] for row in local.rows]
    assert [len(row["requests"]) for row in judged] == [3 + 1 + 2 + 1] * len(ROWS)
    by_name = {each["name"]: each for each in aggregates}
    assert by_name["panel.clarity"]["count"] == 4
    assert by_name["pairwise.preference"]["rubric_distribution"][0] == {"label": "win", "value": 1.0, "count": 2}
    assert by_name["llm-judge.clarity.mass"]["mean"] == pytest.approx(1.0)
