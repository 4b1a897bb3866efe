"""Agreement and comparison by the SDK: asked of the platform, and worked out here on the same results."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from assay_sdk import Comparison, EvaluationResult, NotComparable, RowScore, Score, ScoreState, compare
from assay_sdk.client.result import aggregates
from tests.sdk.conftest import TIME, Either
from tests.sdk.stub import Stub, reply

RUBRIC = {"good": 2, "poor": 0, "fair": 1}
EVALUATOR = "/apis/evaluator/v2/workspaces/default"


def result(values: Sequence[float | None], **columns: Sequence[Any]) -> EvaluationResult:
    """A result whose rows have a score ``helpfulness`` and the columns."""
    rows = []
    for index, value in enumerate(values):
        score = Score("helpfulness", value, None, ScoreState.SCORED if value is not None else ScoreState.EMPTY)
        item = {"q": index, **{name: column[index] for name, column in columns.items()}}
        rows.append(RowScore(index, item, {}, {"llm-judge": [score]}))
    return EvaluationResult.of_job(
        rows, aggregates({"scores": [{"name": "llm-judge.helpfulness", "count": len(rows)}]})
    )


def graded(labels: Sequence[str | None], people: Sequence[str]) -> EvaluationResult:
    rows = []
    for index, (label, said) in enumerate(zip(labels, people, strict=True)):
        state = ScoreState.SCORED if label else ScoreState.EMPTY
        score = Score("tone", RUBRIC[label] if label else None, label or "", state)
        rows.append(RowScore(index, {"people": said}, {}, {"llm-judge": [score]}))
    grades = [{"label": label, "value": value, "count": 0} for label, value in RUBRIC.items()]
    entry = {"name": "llm-judge.tone", "count": len(rows), "score_type": "rubric", "rubric_distribution": grades}
    return EvaluationResult.of_job(rows, aggregates({"scores": [entry]}))


# Here


def test_a_column_of_the_dataset_or_a_list() -> None:
    found = result([1.0, 2.0, 3.0, None], people=[1, "3", None, 4])
    agreement = found.agreement("people")
    assert (agreement.n, agreement.unscored, agreement.unrated) == (2, 1, 1)
    assert agreement.score == "llm-judge.helpfulness"
    assert found.agreement([1, 3, None, 4]).statistics == agreement.statistics
    assert agreement == found.agreement("people", "helpfulness") == found.agreement("people", "llm-judge.helpfulness")
    with pytest.raises(NotComparable, match="no row has a column 'humans'; there are: q, people"):
        found.agreement("humans")
    with pytest.raises(NotComparable, match="no score is called 'tone'; there are: llm-judge.helpfulness"):
        found.agreement("people", "tone")


def test_labels_in_a_column_or_a_list() -> None:
    people = ["good", "fair", "poor", "fair"]
    found = graded(["good", "fair", "fair", None], people)
    agreement = found.agreement("people")
    assert agreement.categories == ["poor", "fair", "good"]
    assert agreement["accuracy"].value == pytest.approx(2 / 3)
    assert found.agreement(people).statistics == agreement.statistics


def test_results_are_compared_by_name_or_by_number() -> None:
    first, second = result([1.0, 2.0, 3.0, 4.0]), result([2.0, 2.0, 4.0, None])
    named = compare({"plain": first, "strict": second})
    assert isinstance(named, Comparison)
    [pair] = named.differences
    assert (pair.first, pair.second, pair.n, pair.unscored) == ("plain", "strict", 3, 1)
    assert pair.difference.value == pytest.approx(2 / 3)
    assert "strict - plain" in named.summary()
    numbered = compare([first, second], "helpfulness", test="bootstrap", resamples=50)
    assert [run.run for run in numbered.runs] == ["run 1", "run 2"]
    with pytest.raises(NotComparable, match="no rows in common"):
        compare([first, result([1.0, 2.0], other=["x", "y"])])
    with pytest.raises(NotComparable, match="two or more"):
        compare([first])


# There


@pytest.fixture
def open_job(stub: Stub, either: Either) -> Callable[[str], Any]:
    def open(name: str) -> Any:
        info = {"id": "x", "name": name, "workspace": "default", "status": "completed", "spec": {}}
        stub.on(
            "GET",
            f"/apis/jobs/v2/workspaces/default/jobs/{name}",
            reply({**info, "created_at": TIME, "updated_at": TIME}),
        )
        return either("jobs.retrieve", name)

    return open


def test_a_job_is_asked_for_its_agreement(stub: Stub, either: Either, open_job: Callable[[str], Any]) -> None:
    here = result([1.0, 2.0, 4.0], people=[1, 3, 3]).agreement("people", resamples=0)
    answer = {**here.to_wire(), "job": {"name": "j-one", "status": "active", "rows_done": 3, "rows_total": 9}}
    stub.on("GET", f"{EVALUATOR}/evaluate/jobs/j-one/agreement", reply(answer))
    job = open_job("j-one")
    assert either.settle(lambda: job.agreement("people", resamples=0)) == here
    assert stub.asked[-1].query == {"column": "people", "resamples": "0", "seed": "0"}
    assert either("jobs.agreement", "j-one", "people", "tone", seed=4) == here
    assert stub.asked[-1].query == {"column": "people", "score": "tone", "resamples": "1000", "seed": "4"}


def test_the_platform_compares_jobs(stub: Stub, either: Either, open_job: Callable[[str], Any]) -> None:
    here = compare({"j-one": result([1.0, 2.0, 3.0]), "j-two": result([2.0, 2.0, 5.0])})
    stub.on("POST", f"{EVALUATOR}/comparisons", reply({**here.to_wire(), "jobs": []}))
    assert either("evaluator.compare", [open_job("j-one"), "j-two"], "helpfulness", baseline="j-two") == here
    assert stub.asked[-1].json == {
        "jobs": ["j-one", "j-two"],
        "score": "helpfulness",
        "test": "auto",
        "baseline": "j-two",
        "resamples": 1000,
        "seed": 0,
        "changed": 10,
    }


def test_a_comparison_that_got_lost_is_asked_for_again(stub: Stub, either: Either) -> None:
    here = compare({"j-one": result([1.0, 2.0]), "j-two": result([2.0, 2.0])})
    stub.on("POST", f"{EVALUATOR}/comparisons", reply(status=503), reply(here.to_wire()))
    assert either("evaluator.compare", ["j-one", "j-two"]) == here
