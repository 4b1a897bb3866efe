"""Scores as expectations over the tokens that hold them, from a server's log probabilities."""

import asyncio
import math
from typing import Any

import pytest
from pydantic import ValidationError

from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.logprobs import Token, distribution
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.result import Row, RowScore, ScoreState
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import LLMJudgeMetric, parse_metric
from tests.engine.wire import Asked, Said, completion, refusal, serving

Pieces = list[tuple[str, dict[str, float]]]
FIVE = {"name": "clarity", "minimum": 1, "maximum": 5}


def logprobs(pieces: Pieces) -> dict[str, Any]:
    """Pieces of a reply, each with the probabilities of its alternatives, in the shape of a chat completion."""

    def entry(token: str, p: float) -> dict[str, Any]:
        return {"token": token, "logprob": math.log(p), "bytes": list(token.encode())}

    content = []
    for token, options in pieces:
        own = options.get(token, 1.0)
        content.append({**entry(token, own), "top_logprobs": [entry(t, p) for t, p in options.items()]})
    return {"content": content}


def reply(pieces: Pieces) -> Said:
    return completion("".join(token for token, _ in pieces), logprobs=logprobs(pieces))


def score(said: Said | list[Said], count: int = 1, **fields: Any) -> tuple[list[RowScore], list[Asked]]:
    answers = said if isinstance(said, list) else [said]

    async def answer(asked: Asked) -> Said:
        return answers[min(asked.number, len(answers)) - 1]

    async def run() -> tuple[list[RowScore], list[Asked]]:
        async with serving(answer) as server:
            metric = server.judge(**{"scores": [FIVE], "expectation": {"mode": "require"}, **fields})
            rows = [Row(i, {"q": "q"}) for i in range(count)]
            return [r async for r in evaluate(rows, [metric], retry=Retry(base=0.01))], server.asked

    return asyncio.run(run())


def values(row_score: RowScore) -> dict[str, float | None]:
    return {each.name: each.value for each in row_score.metrics["llm-judge"]}


JSON_FOUR: Pieces = [('{"clarity": ', {}), ("4", {"4": 0.5, "5": 0.25, "3": 0.15, "x": 0.06}), ("}", {})]


def test_the_score_is_the_mean_of_the_legal_values_weighted_by_their_probability() -> None:
    (row,), (asked,) = score(reply(JSON_FOUR))
    found = values(row)
    assert found["clarity"] == pytest.approx((4 * 0.5 + 5 * 0.25 + 3 * 0.15) / 0.9)
    assert found["clarity.mass"] == pytest.approx(0.9)
    assert found["clarity.written"] == 4
    assert asked.body["logprobs"] is True
    assert asked.body["top_logprobs"] == 20
    assert [call.response["choices"][0]["logprobs"] for call in row.calls]


def test_outputs_are_those_that_the_definition_tells() -> None:
    (row,), _ = score(reply(JSON_FOUR))
    metric = judge(expectation={})
    assert [output.name for output in metric.outputs()] == list(values(row)) == list(metric.scales())
    assert metric.calls_per_row() == 1


@pytest.mark.parametrize(
    ("pieces", "expected", "mass"),
    [
        ([('{"clarity":', {}), (" 4", {" 4": 0.6, " 2": 0.4}), ("}", {})], 3.2, 1.0),
        ([('{"clarity": "', {}), ("4", {"4": 0.6, "2": 0.4}), ('"}', {})], 3.2, 1.0),
        ([("Think: 5 of 5? ", {}), ('{"clarity": ', {}), ("2", {"2": 1.0}), ("}", {})], 2, 1.0),
        ([('{"clarity": ', {}), ("4.0", {"4.0": 0.5, "4": 0.25, "2": 0.25}), ("}", {})], 3.5, 1.0),
    ],
)
def test_the_score_is_found_wherever_its_tokens_begin(pieces: Pieces, expected: float, mass: float) -> None:
    (row,), _ = score(reply(pieces))
    assert values(row)["clarity"] == pytest.approx(expected)
    assert values(row)["clarity.mass"] == pytest.approx(mass)


def test_the_score_of_a_pattern_is_found_too() -> None:
    parser = {"type": "regex", "pattern": r"SCORE: (\d)", "method": "last"}
    pieces: Pieces = [("First I thought SCORE: 1 but ", {}), ("SCORE:", {}), (" 3", {" 3": 0.8, " 4": 0.2})]
    (row,), _ = score(reply(pieces), scores=[{**FIVE, "parser": parser}])
    assert values(row)["clarity"] == pytest.approx(3.2)


def test_a_rubric_has_the_most_probable_label() -> None:
    rubric = [{"label": "very good", "value": 2}, {"label": "very bad", "value": 0}, {"label": "fair", "value": 1}]
    quality = {"name": "quality", "rubric": rubric}
    pieces: Pieces = [
        ('{"quality": "', {}),
        ("very", {"very": 0.8, "fair": 0.2}),
        (" bad", {" bad": 0.4, " good": 0.6}),
        ('"}', {}),
    ]
    (row,), _ = score(reply(pieces), scores=[quality])
    assert values(row)["quality"] == pytest.approx(2 * 0.48 + 0.2)
    assert row.metrics["llm-judge"][0].label == "very good"
    assert values(row)["quality.written"] == 0


def test_plain_completions_are_read_as_well() -> None:
    tops = [{'{"clarity": ': 0.0}, {"4": math.log(0.5), "5": math.log(0.5)}, {"}": 0.0}]
    told = {"tokens": ['{"clarity": ', "4", "}"], "token_logprobs": [0.0, math.log(0.5), 0.0], "top_logprobs": tops}
    said = Said({"choices": [{"text": '{"clarity": 4}', "logprobs": told, "finish_reason": "stop"}]})
    (row,), (asked,) = score(said, prompt_template={"prompt": "{{item.q}}"})
    assert values(row)["clarity"] == pytest.approx(4.5)
    assert asked.body["logprobs"] == 20
    assert "top_logprobs" not in asked.body


def test_require_never_falls_back() -> None:
    with pytest.raises(RunAborted, match="no log probabilities"):
        score(completion('{"clarity": 4}'), count=8)
    (row,), _ = score(completion('{"clarity": 4}'))
    assert values(row) == dict.fromkeys(("clarity", "clarity.mass", "clarity.written"))
    assert row.errors


def test_prefer_falls_back_and_says_so() -> None:
    (row,), asked = score(completion('{"clarity": 4}'), expectation={"mode": "prefer"})
    assert values(row) == {"clarity": 4, "clarity.mass": 0, "clarity.written": 4}
    assert "log probabilities" in row.flags["llm-judge"][0]
    assert len(asked) == 1


def test_prefer_spares_a_server_that_refuses_them() -> None:
    no = refusal(400, "unsupported parameter: logprobs")
    rows, asked = score([no, completion('{"clarity": 4}')], count=1, expectation={"mode": "prefer"})
    assert values(rows[0])["clarity"] == 4
    assert rows[0].flags
    assert ["logprobs" in each.body for each in asked] == [True, False]


def test_too_little_mass_is_no_score() -> None:
    pieces: Pieces = [('{"clarity": ', {}), ("4", {"4": 0.2, "x": 0.8}), ("}", {})]
    (row,), _ = score(reply(pieces))
    assert row.metrics["llm-judge"][0].state is ScoreState.UNPARSEABLE
    (row,), _ = score(reply(pieces), expectation={"least_mass": 0.1})
    assert values(row)["clarity"] == 4


def ten(*tokens: tuple[str, dict[str, float]]) -> dict[str, float]:
    made = [Token(t.encode(), {o.encode(): p for o, p in {t: 1.0, **options}.items()}) for t, options in tokens]
    found = distribution(made, 0, [str(n) for n in range(1, 11)])
    return {text: p for text, p in found.items() if p}


def test_digits_of_their_own_are_followed_along_what_was_written() -> None:
    assert ten(("1", {"1": 0.7, "8": 0.3}), ("0", {"0": 0.9, "}": 0.1})) == pytest.approx(
        {"10": 0.63, "1": 0.07, "8": 0.3}
    )
    assert ten(("1", {"1": 0.7, "10": 0.2}), ("}", {})) == pytest.approx({"1": 0.7, "10": 0.2})
    assert ten(("8", {"8": 0.6, "1": 0.4})) == pytest.approx({"8": 0.6})  # 1 or 10? it cannot be told
    assert ten(("8", {"8": 0.6, "1": 0.3, "10": 0.1})) == pytest.approx({"8": 0.6, "1": 0.3, "10": 0.1})


def judge(**fields: Any) -> LLMJudgeMetric:
    model = {"url": "http://127.0.0.1/v1/chat/completions", "name": "m"}
    metric = parse_metric({"type": "llm-judge", "model": model, "scores": [FIVE], **fields})
    assert isinstance(metric, LLMJudgeMetric)
    return metric


def test_an_expectation_needs_values_that_can_be_listed() -> None:
    with pytest.raises(ValidationError, match="whole numbers"):
        judge(expectation={}, scores=[{"name": "s", "minimum": 0.0, "maximum": 1}])
