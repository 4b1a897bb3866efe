"""Reading what people said: numbers, numbers as text, labels, nothing, and what is none of these."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.errors import NotComparable
from assay_sdk.engine.people import Judged, agreement_with_people, find_score, labels_of
from assay_sdk.engine.result import Score, ScoreState

RUBRIC = ["bad", "fair", "Good"]


def number(value: float | None) -> Score:
    return Score("s", value, None, ScoreState.SCORED if value is not None else ScoreState.EMPTY)


def grade(label: str | None) -> Score:
    if label is None:
        return Score("s", None, "", ScoreState.UNPARSEABLE)
    return Score("s", float(RUBRIC.index(label)), label, ScoreState.SCORED)


def of(ratings: Sequence[Any], scores: Sequence[Score | None] | None = None, **options: Any) -> Agreement:
    given_scores = scores or [number(float(index)) for index in range(len(ratings))]
    rows = [Judged(i, {"q": i, "people": r}, s) for i, (r, s) in enumerate(zip(ratings, given_scores, strict=True))]
    return agreement_with_people(rows, "people", score="llm-judge.s", resamples=0, **options)


def test_numbers_may_be_written_as_text_and_be_missing() -> None:
    found = of([0, " 1 ", "2.0", True, None, "", "NaN", float("nan")])
    assert (found.rows, found.n, found.unrated) == (8, 4, 4)
    assert found["mae"].value == pytest.approx(2 / 4), "of the fourth row: 3 against true, which is 1"
    assert (found.score, found.column) == ("llm-judge.s", "people")


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        ("four", "four"),
        ([1], "[1]"),
        ({"a": 1}, "{'a': 1}"),
        ("inf", "inf"),
        ("x" * 500, "x" * 60 + "…"),
        (10**400, "1"),
    ],
)
def test_what_is_no_number_is_named_with_its_row(bad: Any, shown: str) -> None:
    with pytest.raises(NotComparable) as refusal:
        of([1, 2, bad, "five"])
    assert f"column 'people' holds '{shown}" in str(refusal.value)
    assert "in row 2, which is not a number" in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_an_unknown_column_is_told_with_those_there_are() -> None:
    with pytest.raises(NotComparable, match=r"no row has a column 'rating'; there are: q, people"):
        agreement_with_people([Judged(0, {"q": 1, "people": 2}, number(1))], "rating", score="s")
    with pytest.raises(NotComparable, match="no row has a column"):
        agreement_with_people([Judged(0, {}, number(1))], "rating", score="s")


def test_a_column_may_be_missing_from_some_rows_and_lie_deeper() -> None:
    items: list[dict[str, Any]] = [{"marks": {"anna": 1}}, {"marks": {}}, {"marks": {"anna": 3}}, {"a.b": 9}]
    rows = [Judged(index, item, number(float(index))) for index, item in enumerate(items)]
    found = agreement_with_people(rows, "marks.anna", score="s")
    assert (found.n, found.unrated) == (2, 2)
    assert agreement_with_people(rows, "a.b", score="s").n == 1, "a name comes before a path"


def test_a_run_without_rows_is_no_error() -> None:
    assert agreement_with_people([], "people", score="s").n == 0


def test_unscored_rows_and_rows_without_the_score_are_left_out() -> None:
    found = of([1, 2, 3], [number(1), number(None), None])
    assert (found.n, found.unscored) == (1, 2)


def test_labels_are_compared_as_labels() -> None:
    found = of(["good", "BAD ", "fair", None], [grade("Good"), grade("bad"), grade("bad"), grade("bad")], labels=RUBRIC)
    assert (found.n, found.unrated) == (3, 1)
    assert found.categories == RUBRIC
    assert found.confusion == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["kappa_linear"].value is not None
    assert "pearson" not in found.statistics


def test_a_rubric_is_compared_as_numbers_where_people_gave_numbers() -> None:
    found = of([2, 0, "1"], [grade("Good"), grade("bad"), grade("fair")], labels=RUBRIC)
    assert found["pearson"].value == pytest.approx(1.0)
    numeric = [Score("s", 10.0, "1", ScoreState.SCORED), Score("s", 20.0, "2", ScoreState.SCORED)]
    assert of(["1", "2"], numeric, labels=["1", "2"])["accuracy"].value == 1.0, "labels that look like numbers"
    assert "pearson" in of(["1", "7"], numeric, labels=["1", "2"]).statistics, (
        "numbers, of which one looks like a label"
    )


def test_a_label_that_the_rubric_lacks_is_a_category_of_its_own() -> None:
    found = of(["Good", "unsure", "bad"], [grade("Good"), grade("bad"), grade("bad")], labels=RUBRIC)
    assert found.categories == [*RUBRIC, "unsure"]
    assert found["kappa"].value is not None and found["kappa_linear"].value is None


def test_a_column_of_other_words_is_refused() -> None:
    with pytest.raises(
        NotComparable, match=r"holds 'yes' in row 0, .* nor a label of 'llm-judge.s' \(bad, fair, Good\)"
    ):
        of(["yes", "no"], [grade("Good"), grade("bad")], labels=RUBRIC)
    with pytest.raises(NotComparable, match="in row 1"):
        of(["Good", "so " * 400], [grade("Good"), grade("bad")], labels=RUBRIC)


def test_an_unscored_grade_is_unscored() -> None:
    assert of(["Good", "bad"], [grade("Good"), grade(None)], labels=RUBRIC).unscored == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([1]), max_size=8),
    st.booleans(),
)
def test_no_column_raises_anything_else(ratings: list[Any], rubric: bool) -> None:
    scores = [grade(RUBRIC[index % 3]) if rubric else number(float(index)) for index in range(len(ratings))]
    try:
        of(ratings, scores or None, labels=RUBRIC if rubric else ())
    except NotComparable as refusal:
        assert str(refusal)


# Which score


def test_a_score_is_named_in_full_or_by_its_end_or_not_at_all() -> None:
    names = ["llm-judge.tone", "llm-judge.depth", "llm-judge_2.tone"]
    assert find_score(names, "llm-judge_2.tone") == "llm-judge_2.tone"
    assert find_score(names, "depth") == "llm-judge.depth"
    assert find_score(names[:1], None) == "llm-judge.tone"
    assert find_score(names, None, like="depth") == "llm-judge.depth"
    with pytest.raises(NotComparable, match="several scores are called 'tone'; there are: llm-judge.tone, "):
        find_score(names, "tone")
    with pytest.raises(NotComparable, match="no score is called 'x'; there are: llm-judge.tone"):
        find_score(names, "x")
    with pytest.raises(NotComparable, match="say which score: there are llm-judge.tone"):
        find_score(names, None, like="people")
    with pytest.raises(NotComparable, match="no score"):
        find_score([], None)


def test_labels_stand_in_the_order_of_their_values() -> None:
    assert labels_of({"great": 5, "poor": 0, "fair": 2.5}) == ["poor", "fair", "great"]
