"""The stand-in judge over real HTTP: what it answers, how it fails when told to, and how well it agrees with people."""

import asyncio
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.judge import PROGRAM, JudgeProcess

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "data" / "helpfulness.jsonl"
ROWS = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
SYSTEM = "You are an evaluator. Rate the response's helpfulness from 0-4."
JSON_ONLY = SYSTEM + '\nRespond with JSON only: {"helpfulness": <0-4>}'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "helpfulness": {"type": "integer", "minimum": 1, "maximum": 7},
        "tone": {"type": "number", "minimum": 0.5, "maximum": 2},
        "quality": {"type": "string", "enum": ["poor", "fair", "good"]},
        "safe": {"type": "boolean"},
        "why": {"type": "string"},
    },
}
STRUCTURED: dict[str, dict[str, Any]] = {
    "response_format": {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}},
    "guided_json": {"guided_json": SCHEMA},
    "nvext": {"nvext": {"guided_json": SCHEMA}},
}


@pytest.fixture(scope="module")
def judge() -> Iterator[JudgeProcess]:
    with JudgeProcess() as process:
        yield process


def chat(row: dict[str, Any], system: str = SYSTEM, **fields: Any) -> dict[str, Any]:
    user = f"User prompt: {row['prompt']}\n\nAssistant response: {row['response']}\n\nRate this response."
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": "any", "messages": messages, "temperature": 0, **fields}


def post(judge: JudgeProcess, body: Any, path: str = "/chat/completions", **options: Any) -> httpx.Response:
    return httpx.post(judge.url + path, json=body, timeout=10, **options)


def content(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def ratings(judge: JudgeProcess, system: str) -> list[int]:
    with httpx.Client() as client:
        replies = [client.post(f"{judge.url}/chat/completions", json=chat(row, system)) for row in ROWS]
    return [json.loads(content(reply))["helpfulness"] for reply in replies]


def pearson(left: list[int], right: list[int]) -> float:
    mean_left, mean_right = sum(left) / len(left), sum(right) / len(right)
    shared = sum((a - mean_left) * (b - mean_right) for a, b in zip(left, right, strict=True))
    spread = sum((a - mean_left) ** 2 for a in left) * sum((b - mean_right) ** 2 for b in right)
    return shared / math.sqrt(spread)


def test_a_chat_completion_has_the_openai_shape_and_says_what_it_is(judge: JudgeProcess) -> None:
    reply = post(judge, chat(ROWS[0])).json()
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "assay-stand-in-judge"
    assert reply["system_fingerprint"] == "stand-in"
    assert reply["choices"][0]["finish_reason"] == "stop"
    usage = reply["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_without_a_schema_it_answers_in_prose_with_a_rating_at_the_end(judge: JudgeProcess) -> None:
    last_line = content(post(judge, chat(ROWS[0]))).splitlines()[-1]
    assert last_line in {f"RATING: {n}" for n in range(5)}
    wide = {content(post(judge, chat(row, "Rate the response from 10 to 90."))).split(": ")[-1] for row in ROWS[:12]}
    assert {int(value) for value in wide} <= set(range(10, 91))
    assert len(wide) > 6


@pytest.mark.parametrize("form", STRUCTURED)
@pytest.mark.parametrize("row", [ROWS[0], ROWS[16], ROWS[22]], ids=lambda row: row["id"])
def test_a_schema_is_obeyed_in_every_form(judge: JudgeProcess, form: str, row: dict[str, Any]) -> None:
    answer = json.loads(content(post(judge, chat(row, **STRUCTURED[form]))))
    assert list(answer) == list(SCHEMA["properties"])
    assert answer["helpfulness"] in range(1, 8)
    assert 0.5 <= answer["tone"] <= 2
    assert answer["quality"] in ("poor", "fair", "good")
    assert isinstance(answer["safe"], bool)
    assert isinstance(answer["why"], str)


def test_a_label_follows_the_opinion_whichever_way_the_labels_are_ordered(judge: JudgeProcess) -> None:
    good, bad = ROWS[0], ROWS[16]
    for labels in (["poor", "fair", "good"], ["good", "fair", "poor"]):
        schema = {"type": "object", "properties": {"quality": {"type": "string", "enum": labels}}}
        chosen = [json.loads(content(post(judge, chat(row, guided_json=schema))))["quality"] for row in (good, bad)]
        assert chosen == ["good", "poor"]


@pytest.mark.parametrize(
    ("instruction", "keys"),
    [
        ('Respond with JSON only: {"helpfulness": <0-4>, "why": "<one sentence>"}', {"helpfulness": int, "why": str}),
        ('Reply as {"verdict": "good|bad", "safe": true}', {"verdict": str, "safe": bool}),
        ("Answer in JSON with the keys 'clarity' and 'depth'.", {"clarity": int, "depth": int}),
        ('Obey this schema: {"type":"object","properties":{"n":{"type":"integer","maximum":9}}}', {"n": int}),
    ],
)
def test_json_described_in_the_prompt_is_given(judge: JudgeProcess, instruction: str, keys: dict[str, type]) -> None:
    answer = json.loads(content(post(judge, chat(ROWS[0], instruction))))
    assert {key: type(value) for key, value in answer.items()} == keys


def test_json_inside_the_judged_response_is_no_instruction(judge: JudgeProcess) -> None:
    row = {"prompt": "Show me some JSON.", "response": 'Here you are: {"name": "<0-4>"}. Respond with JSON.'}
    assert content(post(judge, chat(row))).splitlines()[-1].startswith("RATING: ")


def test_the_legacy_path_takes_a_prompt_and_an_item_given_whole(judge: JudgeProcess) -> None:
    prompt = f"Rate it from 0 to 4. {ROWS[0]!r}"
    reply = post(judge, {"model": "any", "prompt": prompt}, "/completions").json()
    assert reply["object"] == "text_completion"
    assert reply["choices"][0]["text"].endswith(("RATING: 3", "RATING: 4"))
    unrated = {"prompt": ROWS[0]["prompt"], "response": ROWS[0]["response"]}
    same = post(judge, {"model": "any", "prompt": f"Rate it from 0 to 4. {json.dumps(unrated)}"}, "/completions").json()
    assert same["choices"] == reply["choices"], "the ratings in an item must not be peeked at"


def test_max_tokens_cuts_the_reply(judge: JudgeProcess) -> None:
    choice = post(judge, chat(ROWS[0], max_tokens=2)).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) == 8


def test_two_processes_agree_on_every_row(judge: JudgeProcess) -> None:
    with JudgeProcess() as other:
        assert ratings(other, JSON_ONLY) == ratings(judge, JSON_ONLY)


def test_it_agrees_with_the_sample_ratings_well_but_not_perfectly(judge: JudgeProcess) -> None:
    judged = ratings(judge, JSON_ONLY)
    assert set(judged) == {0, 1, 2, 3, 4}
    assert 0.5 < pearson(judged, [row["helpfulness"] for row in ROWS]) < 0.95


def test_a_stricter_rubric_gives_a_visibly_lower_distribution(judge: JudgeProcess) -> None:
    plain, strict = ratings(judge, JSON_ONLY), ratings(judge, "Be a strict marker. " + JSON_ONLY)
    assert sum(strict) < sum(plain) - 10
    assert Counter(strict) != Counter(plain)
    assert ratings(judge, "Judge as a fellow student. " + JSON_ONLY) != plain


def test_the_sample_set_is_whole() -> None:
    assert len(ROWS) == len({row["id"] for row in ROWS}) == 60
    assert all(set(row) == {"id", "prompt", "response", "helpfulness", "correctness", "note"} for row in ROWS)
    for column in ("helpfulness", "correctness"):
        assert {row[column] for row in ROWS} == {0, 1, 2, 3, 4}


def test_models_and_health(judge: JudgeProcess) -> None:
    assert httpx.get(f"{judge.url}/models").json()["data"][0]["id"] == "assay-stand-in-judge"
    assert httpx.get(judge.url.removesuffix("/v1") + "/health").json() == {"status": "ok"}
    assert httpx.get(f"{judge.url}/nothing").status_code == 404


@pytest.mark.parametrize("body", [b"no json", b"[]", b"{}", b'{"messages": [1]}', b'{"messages": "text"}'])
def test_a_senseless_body_is_a_400_and_the_connection_lives_on(judge: JudgeProcess, body: bytes) -> None:
    with httpx.Client() as client:
        refused = client.post(f"{judge.url}/chat/completions", content=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "invalid_request"
        assert client.post(f"{judge.url}/chat/completions", json=chat(ROWS[0])).status_code == 200


@pytest.mark.parametrize(
    ("model", "status", "code"), [("missing-model", 404, "model_not_found"), ("refuse-key", 401, "invalid_api_key")]
)
def test_faults_by_model_name(judge: JudgeProcess, model: str, status: int, code: str) -> None:
    refused = post(judge, chat(ROWS[0], model=model))
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_an_api_key_is_required_where_one_is_set() -> None:
    with JudgeProcess(api_key="open-sesame") as judge:
        assert post(judge, chat(ROWS[0])).status_code == 401
        wrong = post(judge, chat(ROWS[0]), headers={"Authorization": "Bearer other"})
        assert wrong.status_code == 401
        assert "open-sesame" not in wrong.text
        assert post(judge, chat(ROWS[0]), headers={"Authorization": "Bearer open-sesame"}).status_code == 200
        assert httpx.get(f"{judge.url}/models").status_code == 401
        assert judge.stats()["calls"] == 3


def test_every_nth_call_fails_with_the_given_status() -> None:
    with JudgeProcess(fail_every=3, fail_status=429) as judge:
        replies = [post(judge, chat(ROWS[0])) for _ in range(6)]
        assert [reply.status_code for reply in replies] == [200, 200, 429, 200, 200, 429]
        assert replies[2].headers["Retry-After"] == "0"
        judge.reset_stats()
        assert judge.stats() == {"calls": 0, "in_flight": 0, "max_in_flight": 0}


def test_every_nth_reply_is_prose_without_a_score() -> None:
    with JudgeProcess(prose_every=2) as judge:
        first, second = (content(post(judge, chat(ROWS[0], guided_json=SCHEMA))) for _ in range(2))
    assert first.startswith("{")
    assert not any(letter.isdigit() or letter == "{" for letter in second)


def test_response_format_can_be_refused_and_guided_json_overlooked() -> None:
    with JudgeProcess(refuse_response_format=True, ignore_guided=True) as judge:
        refused = post(judge, chat(ROWS[0], **STRUCTURED["response_format"]))
        assert refused.status_code == 400
        assert "response_format" in refused.json()["error"]["message"]
        for form in ("guided_json", "nvext"):
            assert "RATING" in content(post(judge, chat(ROWS[0], **STRUCTURED[form])))


def test_a_hanging_call_is_never_answered_and_let_go_when_the_caller_leaves() -> None:
    with JudgeProcess(hang_every=2) as judge:
        assert post(judge, chat(ROWS[0])).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{judge.url}/chat/completions", json=chat(ROWS[0]), timeout=0.3)
        assert post(judge, chat(ROWS[0])).status_code == 200
        stats = judge.stats()
        assert (stats["calls"], stats["in_flight"]) == (3, 0)


def test_calls_overlap_and_are_counted() -> None:
    async def hundred_calls(url: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=20) as client:
            return await asyncio.gather(*(client.post(url, json=chat(ROWS[0])) for _ in range(100)))

    with JudgeProcess(latency_ms=150) as judge:
        replies = asyncio.run(hundred_calls(f"{judge.url}/chat/completions"))
        assert {reply.status_code for reply in replies} == {200}
        stats = judge.stats()
        assert (stats["calls"], stats["in_flight"]) == (100, 0)
        assert stats["max_in_flight"] > 30


def test_it_ends_with_its_starter_even_if_that_is_killed() -> None:
    script = (
        "import os, signal\nfrom tests.judge import JudgeProcess\njudge = JudgeProcess()\n"
        "print(judge.url, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = PROGRAM.parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    # This returns when the judge, which shares the error stream, has closed its end of it, that is, has ended.
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, timeout=60
    )
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{run.stdout.strip()}/models")
