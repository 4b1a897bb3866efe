"""Custom evaluations of every kind on the composed platform: tasks, targets, data, metrics, live, cancel, delete."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from judge import JudgeProcess
from rest import scores as v2_scores
from rest import wait

from tests.hub.server import Hub

Answer = Callable[[str, dict[str, Any]], dict[str, Any] | int]


class Model:
    """An OpenAI-compatible server on a real socket that answers what a test says."""

    def __init__(self, answer: Answer) -> None:
        calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                calls.append((self.path, body, {name.lower(): value for name, value in self.headers.items()}))
                said = answer(self.path, body)
                content = json.dumps({"error": {"message": "no"}} if isinstance(said, int) else said).encode()
                self.send_response(said if isinstance(said, int) else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.calls = calls
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> "Model":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def model(server: Model | JudgeProcess, path: str = "/chat/completions", **also: Any) -> dict[str, Any]:
    return {"api_endpoint": {"url": f"{server.url}{path}", "model_id": "m", **also}}


def judge(server: Model | JudgeProcess, template: Any, **scores: Any) -> dict[str, Any]:
    return {"type": "llm-judge", "params": {"model": model(server, ""), "template": template, "scores": scores}}


def read_by(pattern: str, kind: str = "int") -> dict[str, Any]:
    return {"type": kind, "parser": {"type": "regex", "pattern": pattern}}


def check(*parts: Any, kind: str = "string-check") -> dict[str, Any]:
    return {"type": kind, "params": {"check": list(parts)}}


def start(api: httpx.Client, target: Any, **config: Any) -> str:
    body = {"config": {"type": "custom", **config}, "target": target}
    made = api.post("/v1/evaluation/jobs", json=body)
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


def wait_over(api: httpx.Client, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (found := api.get(f"/v1/evaluation/jobs/{job}").json())["status"] not in {"completed", "failed", "cancelled"}:
        assert time.monotonic() < deadline, found["status_details"]
        time.sleep(0.03)
    return dict(found)


def evaluate(api: httpx.Client, target: Any, **config: Any) -> tuple[dict[str, Any], str]:
    """Return the scores by task, metric and score, of a job that has to complete, and its id."""
    job = start(api, target, **config)
    ended = wait_over(api, job)
    assert ended["status"] == "completed", ended["status_details"]
    tasks = api.get(f"/v1/evaluation/jobs/{job}/results").json()["tasks"]
    return {t: {m: found["scores"] for m, found in task["metrics"].items()} for t, task in tasks.items()}, job


def samples(api: httpx.Client, job: str, task: str) -> list[dict[str, Any]]:
    archive = ZipFile(BytesIO(api.get(f"/v1/evaluation/jobs/{job}/download-results").content))
    return [json.loads(line) for line in archive.read(f"{task}/samples.jsonl").splitlines()]


def upload(api: httpx.Client, name: str, **files: str) -> None:
    filesets = "/apis/files/v2/workspaces/default/filesets"
    api.post(filesets, json={"name": name}).raise_for_status()
    for path, content in files.items():
        api.put(f"{filesets}/{name}/-/{path.replace('__', '.')}", content=content).raise_for_status()


def test_every_metric_over_rows_that_came_with_the_target(api: httpx.Client) -> None:
    rows = [
        {"Said": "The cat sat.", "Wanted": "the cat sat", "n": 3, "Full Name": "A"},
        {"Said": "A dog ran far", "Wanted": "the dog ran", "n": 4, "Full Name": "B"},
    ]
    against = {"ground_truth": "{{ item.Wanted }}", "prediction": "{{ item.Said }}"}
    metrics = {
        "same": check("{{ item.Said | lower | replace('.', '') }}", "equals", "{{ item.wanted }}"),
        "is_three": check("{{ item.n }}", "equals", "3"),
        "named": check("{{ item.full_name }}", "==", "A"),
        "near": check("absolute difference", "{{ item.n }}", "n = 5", "epsilon", 1, kind="number-check"),
        "more": check("{{ item.n }}", ">", 3, kind="number-check"),
        "em": {"type": "em", "params": against},
        "alias": {"type": "exact-match", "params": against},
        "accuracy": {"type": "accuracy", "params": against},
        "f1": {"type": "f1", "params": against},
        "rouge": {"type": "rouge", "params": against},
        "bleu": {"type": "bleu", "params": {"references": ["{{ item.Wanted }}"], "candidate": "{{ item.Said }}"}},
    }
    scores, job = evaluate(api, {"type": "rows", "rows": rows}, tasks={"qa": {"type": "data", "metrics": metrics}})
    found = scores["qa"]
    assert found["same"]["string-check"] == {"value": 0.5, "stats": {"count": 2, "sum": 1.0, "mean": 0.5}}
    values = {name: {score: entry["value"] for score, entry in each.items()} for name, each in found.items()}
    assert values["is_three"] == {"string-check": 0.5}
    assert values["named"] == {"string-check": 0.5}
    assert values["near"] == {"number-check": 0.5}
    assert values["more"] == {"number-check": 0.5}
    assert values["em"] == values["alias"] == {"em": 0.5}
    assert values["accuracy"] == {"accuracy": 0.0}
    assert values["f1"]["f1"] == pytest.approx((1.0 + 2 * 2 / 5) / 2)
    assert set(values["rouge"]) == {"rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score"}
    assert set(found["bleu"]["sentence"]) == {"value", "stats"}
    assert set(found["bleu"]["corpus"]) == {"value"}
    assert samples(api, job, "qa")[0]["item"] == rows[0], "what is stored is the row as it came"


def test_the_same_evaluation_gives_the_same_scores_through_both_apis(api: httpx.Client) -> None:
    upload(api, "both", rows__jsonl="".join(json.dumps({"q": f"Why {n}?"}) + "\n" for n in range(12)))
    ask = {"messages": [{"role": "user", "content": "\nRate 0-4: {{ item.q }} {{ sample.output_text }}\n"}]}
    with JudgeProcess() as judging, JudgeProcess(prose_every=1) as target:
        task = {
            "type": "chat-completion",
            "params": {"template": {"messages": [{"role": "user", "content": "{{ item.q }}"}]}},
            "metrics": {"good": judge(judging, ask, good=read_by(r"RATING: (\d+)"))},
            "dataset": {"files_url": "hf://datasets/default/both"},
        }
        scores, job = evaluate(api, {"type": "model", "model": model(target)}, tasks={"t": task})
        spec = api.get(f"/apis/evaluator/v2/workspaces/default/evaluate/jobs/{job}").json()["spec"]
        again = api.post("/apis/evaluator/v2/workspaces/default/evaluate/jobs", json={"name": "again", "spec": spec})
        assert again.status_code == 201, again.text
        assert wait(api, "again")["status"] == "completed"
    old, _ = v2_scores(api, job)
    new, rows = v2_scores(api, "again")
    shared = ("count", "nan_count", "sum", "mean")
    assert [new[0][name] for name in shared] == [old[0][name] for name in shared]
    stats = scores["t"]["good"]["good"]["stats"]
    assert (stats["count"], stats["sum"], stats["mean"]) == (12, new[0]["sum"], new[0]["mean"])
    first = [row["metrics"]["good"]["scores"]["good"] for row in samples(api, job, "t")]
    assert first == [row["metrics"]["llm-judge"][0]["value"] for row in rows]


def test_a_csv_file_keeps_its_texts_and_a_registered_dataset_goes_by_its_name(api: httpx.Client) -> None:
    upload(api, "cells", data__csv="code,flag\n007,true\n8,false\n10,\n")
    data = {"name": "cells", "files_url": "hf://datasets/default/cells", "limit": 2}
    assert api.post("/v1/datasets", json=data).status_code == 200
    metrics = {
        "code": check("{{ item.code }}", "equals", "007"),
        "eight": check("{{ item.code ~ '' }}", "equals", "8"),
        "flag": check("{{ item.flag }}", "equals", "true"),
    }
    target = {"type": "dataset", "dataset": "default/cells"}
    scores, _ = evaluate(api, target, tasks={"cells": {"type": "data", "metrics": metrics}})
    for name in metrics:
        assert scores["cells"][name]["string-check"]["stats"] == {"count": 2, "sum": 1.0, "mean": 0.5}, name


def test_files_are_chosen_by_path_split_format_offset_and_commit(api: httpx.Client) -> None:
    train = "".join(json.dumps({"n": n}) + "\n" for n in range(10))
    upload(api, "chosen", train__jsonl=train, test__json=json.dumps({"data": [{"n": 100}, {"n": 101}]}), odd__txt=train)
    seen = {
        "split": ({"split": "test"}, [100, 101]),
        "offset": ({"split": "train", "offset": 7, "limit": 2}, [7, 8]),
        "format": (
            {"files_url": "hf://datasets/default/chosen@main/odd.txt", "format": "jsonl", "limit": 3},
            [0, 1, 2],
        ),
        "squad": ({"files_url": "hf://datasets/default/chosen/train.jsonl", "format": "squad", "limit": 1}, [0]),
    }
    metrics = {"positive": check("{{ item.n }}", ">=", 0, kind="number-check")}
    for name, (how, wanted) in seen.items():
        target = {"type": "dataset", "dataset": {"files_url": "hf://datasets/default/chosen/", **how}}
        _, job = evaluate(api, target, tasks={name: {"type": "data", "metrics": metrics}})
        assert [row["item"]["n"] for row in samples(api, job, name)] == wanted, name


def test_answers_that_were_made_before_are_judged_without_asking_anybody(api: httpx.Client) -> None:
    rows = [
        {"response": "yes", "output": "no"},
        {"response": said("yes"), "k": 1},
        {"output_text": "yes"},
        {"prediction": '{"a": "yes"}'},
        {"nothing": 1},
    ]
    upload(api, "cached", out__jsonl="".join(json.dumps(row) + "\n" for row in rows))
    metrics = {
        "text": check("{{ sample.output_text }}", "contains", "yes"),
        "json": check("{{ sample.output_json.a }}", "equals", "yes"),
    }
    scores, job = evaluate(
        api,
        {"type": "cached_outputs", "cached_outputs": {"files_url": "hf://datasets/default/cached"}},
        tasks={"cached": {"type": "completion", "params": {"template": "{{ item.q }}"}, "metrics": metrics}},
    )
    stats = {"count": 4, "sum": 4.0, "mean": 1.0, "nan_count": 1}
    assert scores["cached"]["text"]["string-check"] == {"value": 1.0, "stats": stats}
    assert scores["cached"]["json"]["string-check"]["stats"]["nan_count"] == 4
    assert "missing" in samples(api, job, "cached")[4]["metrics"]["text"]["error"]


def test_two_tasks_with_data_and_metrics_of_their_own(api: httpx.Client) -> None:
    upload(api, "one", a__jsonl='{"q": "a"}\n{"q": "b"}\n')
    upload(api, "two", a__jsonl='{"p": "c"}\n{"p": "d"}\n{"p": "e"}\n')

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.endswith("/chat/completions"):
            return said(body["messages"][-1]["content"].upper())
        return {"choices": [{"text": body["prompt"].upper(), "finish_reason": "stop"}]}

    with Model(answer) as target:
        tasks = {
            "chat": {
                "type": "chat-completion",
                "params": {"template": {"messages": [{"role": "user", "content": "{{ q }}"}], "top_p": 0.5}},
                "dataset": {"files_url": "hf://datasets/default/one"},
                "metrics": {"up": check("{{ sample.output_text }}", "equals", "{{ item.q | upper }}")},
            },
            "prompt.s": {
                "type": "completion",
                "params": {"template": "{{ item.p }}", "temperature": 0.25},
                "dataset": {"files_url": "hf://datasets/default/two"},
                "metrics": {"up": check("{{ sample.output_text }}", "equals", "C")},
            },
        }
        params = {"parallelism": 2, "temperature": 0.75, "top_p": 0.9, "extra": {"seed": 7}, "limit_samples": 50}
        scores, job = evaluate(
            api,
            {"type": "model", "model": model(target, "")},
            tasks=tasks,
            params=params,
            groups={"all": {"tasks": ["chat", "prompt.s"]}},
        )
        bodies = {path: body for path, body, _ in target.calls}
        assert all("authorization" not in headers for _, _, headers in target.calls)
    assert bodies["/v1/chat/completions"].keys() == {"model", "messages", "top_p", "temperature", "seed"}
    assert bodies["/v1/chat/completions"]["top_p"] == 0.5, "the template comes first"
    assert bodies["/v1/completions"]["temperature"] == 0.25, "then the task"
    assert bodies["/v1/completions"]["top_p"] == 0.9, "then the evaluation"
    assert scores["chat"]["up"]["string-check"]["stats"] == {"count": 2, "sum": 2.0, "mean": 1.0}
    assert scores["prompt.s"]["up"]["string-check"]["stats"]["count"] == 3
    assert [row["index"] for row in samples(api, job, "prompt.s")] == [0, 1, 2]
    group = api.get(f"/v1/evaluation/jobs/{job}/results").json()["groups"]["all"]["metrics"]["up"]
    assert group == {"scores": {"string-check": {"value": pytest.approx((1 + 1 / 3) / 2)}}}


def test_messages_for_a_server_of_prompts_become_one(api: httpx.Client) -> None:
    with Model(lambda path, body: {"choices": [{"text": "fine"}]}) as target:
        task = {
            "type": "completion",
            "params": {
                "template": {
                    "messages": [
                        {"role": "system", "content": "Be brief.\n"},
                        {"role": "user", "content": "{{ item.q }}"},
                    ],
                    "max_tokens": 5,
                }
            },
            "dataset": {"files_url": "hf://datasets/default/one", "limit": 1},
            "metrics": {"fine": check("{{ sample.output_text }}", "equals", "fine")},
        }
        scores, _ = evaluate(api, {"type": "model", "model": model(target, "/completions")}, tasks={"t": task})
        [(path, body, _)] = target.calls
    assert path == "/v1/completions"
    assert body == {"model": "m", "prompt": "system: Be brief.\n\n\nuser: a\n\nassistant:", "max_tokens": 5}
    assert scores["t"]["fine"]["string-check"]["value"] == 1.0


def test_tools_come_from_the_row_and_calls_are_compared(api: httpx.Client) -> None:
    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": json.dumps(arguments)}}

    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
    rows = [
        {
            "messages": [{"role": "user", "content": "1 < 2 & 'so' on"}],
            "tools": tools,
            "tool_calls": [call("get.weather", at="Rome")],
        },
        {
            "messages": [{"role": "user", "content": "b"}],
            "tools": tools,
            "tool_calls": [call("get_weather", at="Oslo")],
        },
    ]
    upload(api, "tools", rows__jsonl="".join(json.dumps(row) + "\n" for row in rows))

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        calls = [call("get_weather", at="Rome")]
        return {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": calls}}]}

    with Model(answer) as target:
        task = {
            "type": "chat-completion",
            "params": {
                "template": {
                    "messages": "{{ item.messages | tojson }}",
                    "tools": "{{ item.tools | tojson }}",
                    "tool_choice": "auto",
                }
            },
            "dataset": {"files_url": "hf://datasets/default/tools"},
            "metrics": {
                "calls": {
                    "type": "tool-calling",
                    "params": {"tool_calls_ground_truth": "{{ item.tool_calls | tojson }}", "model": "ignored"},
                }
            },
        }
        scores, _ = evaluate(api, {"type": "model", "model": model(target)}, tasks={"t": task})
        asked = sorted((body for _, body, _ in target.calls), key=lambda body: str(body["messages"]))
    assert [body["messages"] for body in asked] == [row["messages"] for row in rows]
    assert all(body["tools"] == tools and body["tool_choice"] == "auto" for body in asked)
    found = scores["t"]["calls"]
    assert found["function_name_accuracy"]["value"] == 1.0
    assert found["function_name_and_args_accuracy"]["value"] == 0.5


def test_judges_of_every_kind_read_what_they_are_told(api: httpx.Client) -> None:
    replies = {
        "regex": "I say 4.0 of ten",
        "json": 'Well:\n```json\n{"a": {"b": "2.5"}, "ok": true}\n```',
        "label": "GOOD",
    }
    with Model(lambda path, body: said(next(text for word, text in replies.items() if word in str(body)))) as judging:

        def asking(word: str) -> dict[str, Any]:
            return {"messages": [{"role": "user", "content": f"{word} {{{{ item.q }}}}"}], "temperature": 0}

        by_json = {name: {"type": kind, "parser": {"type": "json", "json_path": path}}
                   for name, kind, path in (("deep", "float", "a.b"), ("ok", "bool", "ok"), ("none", "int", "a.b"))
                   }  # fmt: skip
        rubric = [{"label": "GOOD", "value": 3}, {"label": "BAD", "value": 0}]
        metrics = {
            "regex": judge(judging, asking("regex"), Whole=read_by(r"\d+\.\d+"), none=read_by(r"(\w+)")),
            "json": judge(judging, asking("json"), **by_json),
            "label": judge(judging, asking("label"), grade={**read_by(r"(\w+)"), "rubric": rubric}),
            "bounds": judge(judging, asking("regex"), low={**read_by(r"(\d)\."), "maximum": 3}),
        }
        scores, job = evaluate(
            api, {"type": "rows", "rows": [{"q": "?"}]}, tasks={"t": {"type": "data", "metrics": metrics}}
        )
        assert len(judging.calls) == 4, "one call a metric, all of its scores are read from it"
        assert all("response_format" not in body and body["max_tokens"] == 1024 for _, body, _ in judging.calls)
    found = {metric: {name: score["value"] for name, score in each.items()} for metric, each in scores["t"].items()}
    assert found == {
        "regex": {"Whole": 4.0, "none": None},
        "json": {"deep": 2.5, "ok": 1.0, "none": None},
        "label": {"grade": 3.0},
        "bounds": {"low": None},
    }
    assert scores["t"]["regex"]["none"]["stats"] == {"count": 0, "sum": 0.0, "mean": None, "nan_count": 1}
    row = samples(api, job, "t")[0]["metrics"]
    assert row["json"]["judge_output"] == replies["json"]
    assert row["bounds"]["scores"] == {"low": None}


def test_a_failing_row_ends_nothing_and_nothing_but_failing_rows_the_job(api: httpx.Client) -> None:
    def answer(path: str, body: dict[str, Any]) -> dict[str, Any] | int:
        return 400 if "b" in body["messages"][0]["content"] else said("fine")

    metrics = {"fine": check("{{ sample.output_text }}", "equals", "fine")}
    task = {
        "type": "chat-completion",
        "params": {"template": {"messages": [{"role": "user", "content": "{{ item.q }}"}]}},
        "dataset": {"files_url": "hf://datasets/default/one"},
        "metrics": metrics,
    }
    with Model(answer) as target:
        scores, job = evaluate(api, {"type": "model", "model": model(target)}, tasks={"t": task})
    assert scores["t"]["fine"]["string-check"]["stats"] == {"count": 1, "sum": 1.0, "mean": 1.0, "nan_count": 1}
    failed = next(row for row in samples(api, job, "t") if row["item"]["q"] == "b")
    assert failed["output_text"] is None
    assert "400" in failed["error"]
    assert failed["request"]["messages"][0]["content"] == "b"
    with Model(lambda path, body: 400) as target:
        ended = wait_over(api, start(api, {"type": "model", "model": model(target)}, tasks={"t": task}))
    assert ended["status"] == "failed"
    assert "400" in ended["status_details"]["message"]
    assert ended["status_details"]["task_status"] == {"t": "completed"}


@pytest.mark.parametrize(
    ("url", "why"),
    [("hf://datasets/default/nowhere/", "nowhere"), ("hf://datasets/default/one/none.jsonl", "none.jsonl"),
     ("hf://datasets/default/one@v9", "v9")],
    ids=["no repository", "no file", "no revision"],
)  # fmt: skip
def test_data_that_is_not_there_ends_the_job_and_its_url_is_named(api: httpx.Client, url: str, why: str) -> None:
    task = {"type": "data", "metrics": {"m": check("{{ item.q }}", "equals", "a")}}
    job = start(api, {"type": "dataset", "dataset": {"files_url": url}}, tasks={"t": task})
    ended = wait_over(api, job)
    assert ended["status"] == "failed"
    assert url in ended["status_details"]["message"]
    assert ended["status_details"]["task_status"] == {"t": "failed"}
    assert ended["status_details"]["progress"] == 0.0
    assert why in api.get(f"/v1/evaluation/jobs/{job}/logs").json()["logs"]


def test_rows_of_another_hub_are_read_at_the_commit_of_the_beginning(api: httpx.Client) -> None:
    with Hub() as hub:
        hub.add_commit("ns/data", {"README.md": b"# Data", "rows.jsonl": b'{"n": 1}\n{"n": 2}\n'})
        hub.protect("ns/data", "hub-token-3")
        target = {"type": "dataset", "dataset": {"files_url": "hf://datasets/ns/data", "hf_endpoint": hub.url}}
        metrics = {"one": check("{{ item.n }}", "==", 1, kind="number-check")}
        tasks = {"t": {"type": "data", "metrics": metrics}}
        scores, job = evaluate(api, target, tasks=tasks, params={"extra": {"hf_token": "hub-token-3"}})
        assert scores["t"]["one"]["number-check"]["value"] == 0.5
        shown = api.get(f"/v1/evaluation/jobs/{job}")
        assert shown.json()["config"]["params"]["extra"] == {"hf_token": "******"}
        assert "hub-token-3" not in shown.text + api.get(f"/v1/evaluation/jobs/{job}/logs").text
        ended = wait_over(api, start(api, target, tasks=tasks))
    assert ended["status"] == "failed"
    assert "hf://datasets/ns/data" in ended["status_details"]["message"]


def test_cancel_and_delete_stop_a_job_that_runs(api: httpx.Client) -> None:
    rows = [{"q": str(n)} for n in range(300)]
    with JudgeProcess(latency_ms=200) as judging:
        ask = {"messages": [{"role": "user", "content": "Rate 0-4: {{ item.q }}"}]}
        task = {"type": "data", "metrics": {"m": judge(judging, ask, m=read_by(r"RATING: (\d)"))}}
        jobs = [start(api, {"type": "rows", "rows": rows}, tasks={"t": task}) for _ in range(2)]
        for job in jobs:
            deadline = time.monotonic() + 20
            while not api.get(f"/v1/evaluation/jobs/{job}/status").json()["samples_processed"]:
                assert time.monotonic() < deadline
                time.sleep(0.03)
        cancelled = api.post(f"/v1/evaluation/jobs/{jobs[0]}/cancel", headers={"Content-Type": "application/json"})
        assert cancelled.json()["status"] in {"cancelling", "cancelled"}
        partial = ZipFile(BytesIO(api.get(f"/v1/evaluation/jobs/{jobs[1]}/download-results").content))
        assert partial.read("t/samples.jsonl")
        ended = wait_over(api, jobs[0])
        assert ended["status"] == "cancelled"
        assert 0 < ended["status_details"]["progress"] < 100
        again = api.post(f"/v1/evaluation/jobs/{jobs[0]}/cancel")
        assert again.status_code == 409
        assert again.headers["x-should-retry"] == "false"
        gone = api.delete(f"/v1/evaluation/jobs/{jobs[1]}", headers={"Content-Type": "application/json"})
        assert (gone.status_code, gone.content) == (204, b"")
        assert api.get(f"/v1/evaluation/jobs/{jobs[1]}").status_code == 404
        assert judging.stats()["calls"] < 300


def test_live_answers_at_once_and_keeps_nothing(api: httpx.Client) -> None:
    before = api.get("/v1/evaluation/jobs").json()["pagination"]["total_results"]
    metrics = {"accuracy": check("{{ item.a }}", "equals", "{{ item.b }}")}
    task = {"type": "data", "metrics": metrics}
    with JudgeProcess(api_key="live-key-7") as judging:
        ask = {"messages": [{"role": "user", "content": "Rate 0-4: {{ item.a }}"}]}
        asking = judge(judging, ask, m=read_by(r"RATING: (\d)"))
        asking["params"]["model"]["api_endpoint"]["api_key"] = "live-key-7"
        body = {
            "config": {"type": "custom", "tasks": {"qa": {**task, "metrics": {**metrics, "judge": asking}}}},
            "target": {"type": "rows", "rows": [{"a": "1", "b": "1"}, {"a": "1", "b": "2"}]},
        }
        reply = api.post("/v1/evaluation/live", json=body)
    assert reply.status_code == 200, reply.text
    assert "live-key-7" not in reply.text
    found = reply.json()
    assert (found["status"], found["status_details"]["progress"]) == ("completed", 100.0)
    assert found["status_details"]["task_status"] == {"qa": "completed"}
    assert found["logs"] == {"qa": {}}
    scores = found["result"]["tasks"]["qa"]["metrics"]
    assert scores["accuracy"]["scores"]["string-check"] == {
        "value": 0.5,
        "stats": {"count": 2, "sum": 1.0, "mean": 0.5},
    }
    assert scores["judge"]["scores"]["m"]["stats"]["count"] == 2
    of_data = {**body, "target": {"type": "dataset", "dataset": {"files_url": "hf://datasets/default/one"}}}
    of_data["config"] = {
        "type": "custom",
        "tasks": {"t": {"type": "data", "metrics": {"m": check("{{ item.q }}", "equals", "a")}}},
    }
    by_data = api.post("/v1/evaluation/live", json=of_data)
    assert by_data.json()["result"]["tasks"]["t"]["metrics"]["m"]["scores"]["string-check"]["value"] == 0.5, (
        by_data.text
    )
    many = {**of_data, "target": {"type": "rows", "rows": [{"q": "a"}] * 1001}}
    assert api.post("/v1/evaluation/live", json=many).status_code == 422
    online = {**body, "target": {"type": "model", "model": {"api_endpoint": {"url": "http://a.test", "model_id": "m"}}}}
    assert api.post("/v1/evaluation/live", json=online).status_code == 422
    assert api.get("/v1/evaluation/jobs").json()["pagination"]["total_results"] == before
