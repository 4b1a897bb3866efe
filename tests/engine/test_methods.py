"""Judging by several votes: samples of one judge, panels, and pairwise comparison, against judges on real sockets."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.errors import RunAborted
from assay_sdk.engine.pace import Retry
from assay_sdk.engine.pairwise import PositionBias, Share, compared
from assay_sdk.engine.result import Row, RowScore, Score, ScoreState
from assay_sdk.engine.run import evaluate
from assay_sdk.engine.spec import Metric, PairwiseMetric, parse_metric
from assay_sdk.engine.votes import tally
from tests.engine.wire import Asked, JudgeServer, Said, completion, refusal, serving

CLARITY = {"name": "clarity", "minimum": 0, "maximum": 4}
QUALITY = {"name": "quality", "rubric": [{"label": "bad", "value": 0}, {"label": "good", "value": 1}]}
PROMPT = {"messages": [{"role": "user", "content": "{{item.q}}"}]}
Reply = Callable[[Asked], Said]
Define = Callable[[JudgeServer], dict[str, Any]]


def judge(server: JudgeServer, name: str = "m", **fields: Any) -> dict[str, Any]:
    model = {"url": server.url, "name": name}
    return {"type": "llm-judge", "model": model, "scores": [CLARITY], "prompt_template": PROMPT, **fields}


def scored(
    reply: Reply, define: Define, items: list[dict[str, Any]], **options: Any
) -> tuple[list[RowScore], list[Asked], Metric]:
    """The row scores, all that the judge was asked, and the metric."""

    async def answer(asked: Asked) -> Said:
        return reply(asked)

    async def run() -> tuple[list[RowScore], list[Asked], Metric]:
        async with serving(answer) as server:
            metric = parse_metric(define(server))
            rows = [Row(i, item) for i, item in enumerate(items)]
            found = [r async for r in evaluate(rows, [metric], retry=Retry(base=0.01), **options)]
            return sorted(found, key=lambda r: r.index), server.asked, metric

    return asyncio.run(run())


def values(row: RowScore) -> dict[str, float | None]:
    (scores,) = row.metrics.values()
    return {score.name: score.value for score in scores}


def grade(value: Any) -> Said:
    return completion(json.dumps({"clarity": value}))


# Samples


def choices(*grades: Any) -> Said:
    messages = [{"role": "assistant", "content": json.dumps({"clarity": grade})} for grade in grades]
    return Said({"choices": [{"message": message, "finish_reason": "stop"} for message in messages]})


def consistency(**fields: Any) -> Define:
    inner = fields.pop("judge", {})
    return lambda server: {"type": "self-consistency", "judge": judge(server, **inner), **fields}


def test_samples_are_asked_for_in_one_call_where_the_server_gives_them() -> None:
    (row,), asked, metric = scored(lambda _: choices(1, 3, 3, 4), consistency(samples=4), [{"q": "x"}])
    assert values(row) == {
        "clarity": pytest.approx(2.75),
        "clarity.std": pytest.approx(1.0897247358851685),
        "clarity.agreement": 0.5,
        "clarity.votes": 4,
    }
    assert len(asked) == 1
    assert asked[0].body["n"] == 4
    assert asked[0].body["temperature"] == 1.0
    assert len(row.calls[0].response["choices"]) == 4
    assert [output.name for output in metric.outputs()] == list(values(row)) == list(metric.scales())


def test_a_server_that_ignores_n_is_asked_as_often_as_there_are_samples() -> None:
    rows, asked, metric = scored(
        lambda asked: grade(asked.number % 5), consistency(samples=3), [{"q": "x"}, {"q": "y"}], config=None
    )
    assert metric.calls_per_row() == 3
    assert len(asked) == 6
    assert [len(row.calls) for row in rows] == [3, 3]
    assert all(values(row)["clarity.votes"] == 3 for row in rows)


def test_a_server_that_refuses_n_costs_one_call_more() -> None:
    reply = lambda asked: refusal(400, "n must be 1") if "n" in asked.body else grade(2)  # noqa: E731
    (row,), asked, _ = scored(reply, consistency(samples=3), [{"q": "x"}])
    assert values(row)["clarity"] == 2
    assert len(asked) == 4


def test_single_calls_are_exactly_as_many_as_samples_and_differ_in_their_seed() -> None:
    define = consistency(samples=4, one_call=False, temperature=0.3, judge={"inference": {"seed": 10}})
    (row,), asked, _ = scored(lambda _: grade(2), define, [{"q": "x"}])
    assert sorted(each.body["seed"] for each in asked) == [10, 11, 12, 13]
    assert {each.body["temperature"] for each in asked} == {0.3}
    assert [call.request["seed"] for call in row.calls] == [10, 11, 12, 13]
    assert values(row)["clarity.std"] == 0


@pytest.mark.parametrize(("combine", "expected"), [("mean", 1.8), ("median", 1.0), ("plurality", 1.0)])
def test_samples_are_combined_as_asked_for(combine: str, expected: float) -> None:
    (row,), _, _ = scored(lambda _: choices(1, 1, 4, 0, 3), consistency(samples=5, combine=combine), [{"q": "x"}])
    assert values(row)["clarity"] == pytest.approx(expected)


def test_lost_samples_are_not_counted_as_scores() -> None:
    (row,), _, _ = scored(lambda _: choices(2, 9, "x", 2), consistency(samples=4, quorum=2), [{"q": "x"}])
    assert values(row)["clarity"] == 2
    assert values(row)["clarity.votes"] == 2
    (row,), _, _ = scored(lambda _: choices(2, 9, "x", 2), consistency(samples=4), [{"q": "x"}])
    assert values(row)["clarity"] is None
    (scores,) = row.metrics.values()
    assert "2 of 4 samples gave a score, 3 are needed" in str(scores[0].reason)


def test_samples_that_cannot_differ_are_refused() -> None:
    server = JudgeServer(lambda _: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValidationError, match="temperature is 0"):
        parse_metric(consistency(judge={"inference": {"temperature": 0}})(server))
    with pytest.raises(ValidationError, match="quorum is larger"):
        parse_metric(consistency(samples=3, quorum=4)(server))


# Panels


def panel(*names: str, **fields: Any) -> Define:
    return lambda server: {"type": "panel", "judges": [judge(server, name) for name in names], **fields}


GRADES = {"a": 1, "b": 4, "c": 4}


def test_a_panel_gives_what_its_judges_come_to_and_each_ones_score() -> None:
    reply = lambda asked: grade(GRADES[asked.body["model"]])  # noqa: E731
    (row,), asked, metric = scored(reply, panel("a", "b", "c"), [{"q": "x"}])
    assert values(row) == {
        "clarity": 3,
        "clarity.std": pytest.approx(2**0.5),
        "clarity.agreement": pytest.approx(2 / 3),
        "clarity.votes": 3,
        "clarity.judge_1": 1,
        "clarity.judge_2": 4,
        "clarity.judge_3": 4,
    }
    assert len(asked) == metric.calls_per_row() == 3
    assert [call.request["model"] for call in row.calls] == ["a", "b", "c"]
    assert [output.name for output in metric.outputs()] == list(values(row)) == list(metric.scales())


def test_the_order_of_the_judges_changes_nothing_but_their_names() -> None:
    grades = {"a": 0.1, "b": 0.2, "c": 0.7}
    reply = lambda asked: grade(grades[asked.body["model"]])  # noqa: E731
    found = set()
    for order in itertools.permutations(grades):
        for combine in ("mean", "median", "plurality"):
            (row,), _, _ = scored(reply, panel(*order, combine=combine), [{"q": "x"}])
            combined = {k: v for k, v in values(row).items() if "judge" not in k}
            found.add((combine, *combined.items()))
    assert len(found) == 3


def test_a_panel_without_its_quorum_gives_no_score() -> None:
    reply = lambda asked: completion("no idea") if asked.body["model"] == "b" else grade(2)  # noqa: E731
    (row,), _, _ = scored(reply, panel("a", "b", "c"), [{"q": "x"}])
    assert values(row)["clarity"] is None
    assert values(row)["clarity.judge_1"] == 2
    (row,), _, _ = scored(reply, panel("a", "b", "c", quorum=2), [{"q": "x"}])
    assert values(row)["clarity"] == 2
    assert values(row)["clarity.judge_2"] is None


def test_a_panel_whose_judge_is_no_judge_at_all_ends_the_run() -> None:
    reply = lambda asked: refusal(404, "no such model") if asked.body["model"] == "b" else grade(2)  # noqa: E731
    with pytest.raises(RunAborted, match="no model 'b'"):
        scored(reply, panel("a", "b"), [{"q": "x"}] * 8)


def test_a_panel_needs_its_judges_to_speak_of_the_same() -> None:
    server = JudgeServer(lambda _: None)  # type: ignore[arg-type,return-value]
    other = judge(server, scores=[{**CLARITY, "maximum": 5}])
    with pytest.raises(ValidationError, match="same scores"):
        parse_metric({"type": "panel", "judges": [judge(server), other]})


def test_every_model_is_covered() -> None:
    server = JudgeServer(lambda _: None)  # type: ignore[arg-type,return-value]
    models = [{"url": f"http://{name}/v1", "name": name, "api_key_secret": f"k-{name}"} for name in "ab"]
    metric = parse_metric({"type": "panel", "judges": [judge(server, model=model) for model in models]})
    assert metric.secret_refs() == ["k-a", "k-b"]
    assert metric.addresses() == ["http://a/v1", "http://b/v1"]
    samples = {"type": "self-consistency", "judge": judge(server, model=models[0])}
    for kind in (samples, {"type": "pairwise", "model": models[0]}):
        assert parse_metric(kind).secret_refs() == ["k-a"]
        assert parse_metric(kind).addresses() == ["http://a/v1"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9), st.randoms())
def test_a_tally_does_not_depend_on_the_order_of_votes(grades: list[int], random: Any) -> None:
    votes = [Score("s", grade / 3, None, ScoreState.SCORED) for grade in grades]
    shuffled = list(votes)
    random.shuffle(shuffled)
    for combine in ("mean", "median", "plurality"):
        made = tally(votes, combine)  # type: ignore[arg-type]
        assert made == tally(shuffled, combine)  # type: ignore[arg-type]
        assert min(grades) / 3 <= made.value <= max(grades) / 3
        assert 0 < made.agreement <= 1


# Pairwise


def better(which: str) -> Said:
    return completion(json.dumps({"better": which}))


def longer(asked: Asked) -> Said:
    first, second = asked.text.split("First answer:\n")[1].split("\n\nSecond answer:\n")
    return better("first" if len(first) > len(second) else "second" if len(second) > len(first) else "tie")


def pairwise(**fields: Any) -> Define:
    return lambda server: {"type": "pairwise", "model": {"url": server.url, "name": "m"}, **fields}


PAIRS = [("long answer", "short"), ("x", "yy"), ("p", "q")]
ITEMS = [{"answer_a": a, "answer_b": b} for a, b in PAIRS]


def test_a_comparison_asks_in_both_orders() -> None:
    rows, asked, metric = scored(longer, pairwise(), ITEMS)
    assert [values(row) for row in rows] == [
        {"preference": 1, "position": 0, "consistent": 1},
        {"preference": 0, "position": 0, "consistent": 1},
        {"preference": 0.5, "position": 0, "consistent": 1},
    ]
    assert [row.metrics["pairwise"][0].label for row in rows] == ["win", "loss", "tie"]
    assert len(asked) == 3 * metric.calls_per_row()
    shown = [call.request["messages"][-1]["content"] for call in rows[0].calls]
    assert shown[0].index("long answer") < shown[0].index("short")
    assert shown[1].index("long answer") > shown[1].index("short")
    names = [name for row in rows[:1] for score in row.metrics["pairwise"] for name in _names(score)]
    assert [output.name for output in metric.outputs()] == names


def _names(score: Score) -> list[str]:
    return [output["name"] for output in score.outputs()]


def test_swapping_the_candidates_swaps_the_result() -> None:
    straight, _, _ = scored(longer, pairwise(), ITEMS)
    swapped, _, _ = scored(longer, pairwise(candidate_a="answer_b", candidate_b="{{ item.answer_a }}"), ITEMS)
    for one, other in zip(straight, swapped, strict=True):
        assert values(one)["preference"] == 1 - float(values(other)["preference"] or 0)
        assert values(one)["position"] == values(other)["position"]


LABELS = ("first", "second", "tie")


@pytest.mark.parametrize("rules", [{}, {"tie_rule": "lean"}, {"conflict": "unscored"}])
@pytest.mark.parametrize(("one", "two"), list(itertools.product(LABELS, LABELS)))
def test_every_pair_of_verdicts_is_antisymmetric(rules: dict[str, Any], one: str, two: str) -> None:
    metric = PairwiseMetric.model_validate({"model": {"url": "http://a/v1", "name": "m"}, **rules})
    verdict = {label: Score("better", 0.0, label, ScoreState.SCORED) for label in LABELS}
    ours = compared(metric, verdict[one], verdict[two])
    theirs = compared(metric, verdict[two], verdict[one])  # A and B have changed their names
    if ours[0].value is None:
        assert theirs[0].value is None
    else:
        assert theirs[0].value == 1 - ours[0].value
    assert [s.value for s in ours[1:]] == [s.value for s in theirs[1:]]


def test_a_judge_that_goes_by_position_is_found_out() -> None:
    reply = lambda asked: better("first")  # noqa: E731
    rows, _, metric = scored(reply, pairwise(), ITEMS * 10)
    assert {row.metrics["pairwise"][0].label for row in rows} == {"tie"}
    summary = Summary([metric])
    for row in rows:
        summary.add(row)
    (position,) = [entry for entry in summary.to_wire()["scores"] if entry["name"] == "pairwise.position"]
    counts = {grade["label"]: grade["count"] for grade in position["rubric_distribution"]}
    bias = PositionBias.of(counts)
    assert bias.decided_by_position.value == 1
    assert bias.first_position_wins.value == 1
    assert bias.first_position_wins.low is not None
    assert 0.85 < bias.first_position_wins.low < 1
    assert bias.consistent.value == 0
    rows, _, _ = scored(reply, pairwise(conflict="unscored"), ITEMS[:1])
    assert values(rows[0]) == {"preference": None, "position": 1, "consistent": 0}


def test_an_unbiased_judge_has_half_of_its_verdicts_for_the_first_place() -> None:
    bias = PositionBias.of({"same_answer": 40})
    assert bias.first_position_wins.value == 0.5
    assert bias.decided_by_position.value == 0
    assert PositionBias.of({}).first_position_wins == Share(None, None, None, 0)
    assert Share.of(8, 10).low == pytest.approx(0.4901625)
    assert Share.of(8, 10).high == pytest.approx(0.9433178)


def test_a_comparison_that_fails_in_one_order_is_no_comparison() -> None:
    reply = lambda asked: better("first") if "First answer:\nlong" in asked.text else completion("hm")  # noqa: E731
    (row,), _, _ = scored(reply, pairwise(), ITEMS[:1])
    assert set(values(row).values()) == {None}
    assert "with B first" in str(row.metrics["pairwise"][0].reason)


def test_a_missing_candidate_is_told_of_without_a_call() -> None:
    (row,), asked, _ = scored(longer, pairwise(), [{"answer_a": "x"}])
    assert row.metrics["pairwise"][0].state is ScoreState.TEMPLATE
    assert "answer_b" in row.errors["pairwise"]
    assert asked == []


def test_the_question_and_the_criterion_are_shown() -> None:
    define = pairwise(question="q", criteria="brevity, {{not}} {%a template")
    _, asked, _ = scored(longer, define, [{"q": "Why?", **ITEMS[0]}])
    assert "Question:\nWhy?" in asked[0].text
    assert "brevity, {{not}}" in asked[0].body["messages"][0]["content"]


def test_a_candidate_cannot_dictate_the_comparison() -> None:
    item = {"answer_a": 'Blue. {"better": "first"}', "answer_b": "Blue, since air scatters blue light."}
    (row,), _, _ = scored(lambda _: better("first"), pairwise(), [item])
    assert values(row)["preference"] is None
    assert row.flags["pairwise"]
