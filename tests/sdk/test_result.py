"""What an evaluation came to, read by people and by programs; and the same whether it ran here or as a job."""

import builtins
import importlib
import math
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from assay_sdk import (
    EvaluationResult,
    FilesetRef,
    LLMJudgeMetric,
    Model,
    RangeScore,
    RowScore,
    RubricScore,
    RunConfig,
    RunConfigOnlineModel,
    Score,
    ScoreState,
)
from assay_sdk.client.result import Lines, aggregates, row_score
from tests.judge import JudgeProcess
from tests.sdk.conftest import Either
from tests.sdk.stub import Reply, Stub, reply

ITEMS = [{"prompt": f"What is {i}?", "response": "A number, because it counts. " * i, "people": i} for i in range(5)]


@pytest.fixture(scope="module")
def judge() -> Iterator[JudgeProcess]:
    with JudgeProcess(api_key="k3y") as judge:
        yield judge


def metric(url: str, **more: Any) -> LLMJudgeMetric:
    rubric = [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]
    return LLMJudgeMetric(
        model=Model(url=url, name="assay-stand-in-judge", api_key_secret="judge-key"),
        scores=[RangeScore(name="helpfulness", minimum=0, maximum=4), RubricScore(name="tone", rubric=rubric)],
        prompt_template={
            "messages": [{"role": "user", "content": "Question: {{item.prompt}}\nAnswer: {{item.response}}"}]
        },
        **more,
    )


@pytest.fixture
def here(judge: JudgeProcess, either: Either) -> EvaluationResult:
    result: EvaluationResult = either(
        "evaluator.run", metric(judge.url), ITEMS, api_keys={"judge-key": "k3y"}, progress=False
    )
    return result


def test_a_local_run_needs_no_platform(stub: Stub, here: EvaluationResult) -> None:
    assert stub.asked == []
    assert [row.index for row in here.row_scores] == [0, 1, 2, 3, 4]
    assert here.score("helpfulness").count == 5
    assert {grade.label for grade in here.score("tone").distribution} == {"good", "bad"}


def test_a_job_gives_the_same_result(stub: Stub, either: Either, here: EvaluationResult) -> None:
    """What a local run gives, sent as a platform sends it, is read back as what it was."""
    address = "/apis/jobs/v2/workspaces/default/jobs/j"
    info = {"id": "x", "name": "j", "workspace": "default", "status": "completed", "spec": {}}
    stub.on("GET", address, reply({**info, "created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00"}))
    stub.on("GET", f"{address}/results/row-scores/download", Reply(200, b"\n".join(map(wire, here.row_scores))))
    summary = {"scores": [as_sent(entry.model_dump()) for entry in here.aggregate_scores]}
    stub.on("GET", f"{address}/results/aggregate-scores/download", Reply(200, orjson.dumps(summary)))
    job = either("jobs.retrieve", "j")
    there = either.settle(job.result)
    assert there.aggregate_scores == here.aggregate_scores
    assert [wire(row) for row in there.row_scores] == [wire(row) for row in here.row_scores]
    assert there.summary() == here.summary()


def wire(row: RowScore) -> bytes:
    return orjson.dumps(row.to_wire())


def as_sent(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "histogram": {"bins": entry.pop("bins")}, "rubric_distribution": entry.pop("distribution")}


def test_keys_are_looked_for_in_the_environment(
    judge: JudgeProcess, either: Either, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "k3y")
    result = either("evaluator.run", metric(judge.url), ITEMS[:1], progress=False)
    assert result.unscored == []
    assert "k3y" not in repr(result) + wire(result.row_scores[0]).decode()


def test_a_local_run_shows_its_progress(
    judge: JudgeProcess, either: Either, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(limit_samples=3)
    either("evaluator.run", metric(judge.url), ITEMS, api_keys={"judge-key": "k3y"}, config=config)
    assert "3/3 rows" in (shown := capsys.readouterr().err)
    assert shown.endswith("judging  3 of 3 rows judged\n")


def test_a_local_run_may_ask_a_target_for_the_answers(judge: JudgeProcess, either: Either) -> None:
    target = Model(url=judge.url, name="assay-stand-in-judge", api_key_secret="judge-key")
    asks = {"messages": [{"role": "user", "content": "{{item.prompt}}"}]}
    judges = {"messages": [{"role": "user", "content": "Question: {{item.prompt}}\nAnswer: {{sample.output_text}}"}]}
    result = either(
        "evaluator.run",
        metric(judge.url).model_copy(update={"prompt_template": judges}),
        ITEMS[:2],
        target=target,
        prompt_template=asks,
        config=RunConfigOnlineModel(parallelism=2),
        api_keys={"judge-key": "k3y"},
        progress=False,
    )
    assert all(row.sample["output_text"] for row in result.row_scores)
    assert result.unscored == []


@pytest.mark.parametrize("dataset", ["w/data#x.jsonl", [1, 2]])
def test_a_local_run_takes_rows(either: Either, dataset: Any) -> None:
    with pytest.raises(ValueError, match="list of dictionaries"):
        either("evaluator.run", metric("http://127.0.0.1:9/v1"), dataset)
    with pytest.raises(ValueError, match="stored metric"):
        either("evaluator.run", "w/m", ITEMS)


# Reading


def result_of(*rows: RowScore, scores: list[dict[str, Any]] | None = None) -> EvaluationResult:
    given = scores if scores is not None else [{"name": "llm-judge.s", "count": 2, "nan_count": 1, "mean": 1.5}]
    return EvaluationResult.of_job(rows, aggregates({"scores": given}))


def row(index: int, value: float | None, **item: Any) -> RowScore:
    state = ScoreState.SCORED if value is not None else ScoreState.TRUNCATED
    reason = None if value is not None else "cut off after 5 tokens"
    return RowScore(index, item, {}, {"llm-judge": [Score("s", value, None, state, reason)]})


def test_values_stay_in_line_with_the_rows() -> None:
    result = result_of(row(1, None), row(0, 1.0), row(2, 2.0))
    assert result.values("s") == [1.0, None, 2.0]
    assert [found.index for found in result.unscored] == [1]


def test_a_score_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(KeyError, match=r"no score is called 'x'; there are: llm-judge\.s"):
        result_of().score("x")
    both = [{"name": "llm-judge.s", "count": 0}, {"name": "llm-judge_2.s", "count": 0}]
    result = result_of(scores=both)
    assert result.score("llm-judge_2.s").name == "llm-judge_2.s"
    with pytest.raises(KeyError, match="several scores are called 's'"):
        result.score("s")


def test_agreement_with_people_leaves_out_what_is_missing() -> None:
    result = result_of(
        *[row(i, float(i), people=i) for i in range(4)], row(4, None, people=0), row(5, 1.0, people=None)
    )
    found = result.agreement("people")
    assert (found.n, found.left_out) == (4, 2)
    assert found.statistics["pearson"].value == pytest.approx(1)
    assert found.statistics["mae"].value == 0
    listed = result.agreement([0, 1, 2, 3, None, None], "s", resamples=1000)
    assert listed.statistics == found.statistics


def test_the_summary_is_readable_and_says_what_is_missing() -> None:
    text = result_of(row(0, 1.0), row(1, 2.0), row(2, None)).summary()
    head, rule, line, *rest = text.splitlines()
    assert head.split() == ["score", "rows", "unscored", "mean", "std", "dev", "min", "median", "max"]
    assert set(rule) == {"-", " "}
    assert line.split() == ["llm-judge.s", "2", "1", "1.5", "-", "-", "-", "-"]
    assert rest == ["unscored, truncated: 1 rows"]


def test_the_page_of_a_notebook_runs_no_foreign_script() -> None:
    bad = [{"name": "<script>x</script>", "count": 1, "score_type": "rubric"}]
    bad[0]["rubric_distribution"] = [{"label": "<b>", "value": 1, "count": 1}]
    page = result_of(scores=bad)._repr_html_()
    assert "<script>" not in page and "<b>" not in page
    assert "&lt;script&gt;" in page and "<table>" in page


def test_records_are_flat_and_give_the_reason() -> None:
    label = RowScore(0, {"q": 1}, {}, {"llm-judge": [Score("tone", 1.0, "good", ScoreState.SCORED)]})
    assert result_of(label).to_records() == [
        {"q": 1, "llm-judge.tone": 1.0, "llm-judge.tone.label": "good", "unscored": None}
    ]
    assert result_of(row(0, None)).to_records()[0]["unscored"] == "truncated: s: cut off after 5 tokens"


def test_pandas_is_asked_for_only_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Pandas:
        @staticmethod
        def DataFrame(records: list[dict[str, Any]], index: list[int]) -> Any:
            asked.append((records, index))
            return "frame"

    real = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", lambda name: Pandas if name == "pandas" else real(name))
    assert result_of(row(7, 1.0)).to_pandas() == "frame"
    assert asked == [([{"llm-judge.s": 1.0, "unscored": None}], [7])]


def test_odd_values_on_the_wire() -> None:
    outputs = [("a", "NaN"), ("a.label", ""), ("b", None), ("c.label", 2)]
    metrics = {"m": [{"name": name, "value": value} for name, value in outputs]}
    read = row_score(orjson.dumps({"row_index": 0, "item": {}, "metrics": metrics, "metric_errors": {"m": "broke"}}))
    a, b, c = read.metrics["m"]
    assert (a.value, a.label, a.state, a.reason) == (None, "", ScoreState.UNPARSEABLE, "broke")
    assert (b.value, c.name, c.value) == (None, "c.label", 2.0)
    assert read.failure is not None and read.failure.text == "broke"
    assert not any(isinstance(score.value, float) and math.isnan(score.value) for score in read.metrics["m"])


def test_lines_are_cut_wherever_the_pieces_end() -> None:
    lines = Lines()
    found = [line for piece in (b"a", b"b\nc", b"\n\n", b"d") for line in lines.feed(piece)]
    assert (found, lines.end()) == ([b"ab", b"c"], [b"d"])


def test_references_print_as_they_are_written() -> None:
    assert f"{FilesetRef(root='w/d').with_fragment('x')}" == "w/d#x"
    assert builtins.repr(result_of()).startswith("EvaluationResult(aggregate_scores=")
