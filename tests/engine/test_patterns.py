"""No pattern of a user keeps a worker busy, and all of them mean what Python's `re` says they mean."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.patterns import Pattern, TookTooLong
from assay_sdk.engine.result import ScoreState
from assay_sdk.engine.scores import RangeScore


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"((a+)+)$", "a" * 50 + "!"),
        (r"((a|aa)+)$", "a" * 60 + "!"),
        (r"((?:a*)*)b", "a" * 40),
        (r"(\w+\s?)*(\d)$", "word " * 40 + "!"),
        (r"(.*)(.*)(.*)(.*)(.*)[^\s\S]", "x" * 5000),
        (r"(a?){60}a{60}b", "a" * 90),
        (r"(x+x+)+y\1", "x" * 60),
    ],
)
def test_catastrophic_pattern_ends_within_its_time(pattern: str, text: str) -> None:
    began = time.perf_counter()
    with pytest.raises(TookTooLong):
        Pattern(pattern, "search").first_group(text)
    assert time.perf_counter() - began < 5
    assert Pattern(r"((?:\d+,?)+)", "search").first_group("a 1,2 b") == "1,2", "the next one is not affected"


def test_score_that_was_given_up_says_why() -> None:
    parser = {"type": "regex", "pattern": r"((a+)+)$", "method": "search"}
    score = RangeScore.model_validate({"name": "clarity", "minimum": 0, "maximum": 4, "parser": parser})
    (found,) = read_scores([reader_of(score)], "a" * 50 + "!")
    assert found.state is ScoreState.UNPARSEABLE
    assert "takes too long" in str(found.reason)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [r"(\d+)", r"GRADE:\s*(\d+)", r"(?:a+)+(b)?", r"(a|b)*", r"(?i)x(y)z|(q)", r"((?:\d,?)+)", r"\A(.*)\Z"]
    ),
    st.text(alphabet="GRADE: 0123,abxyzqé\n\ud800", max_size=40),
)
def test_both_ways_of_matching_agree_with_re(pattern: str, text: str) -> None:
    match = re.search(pattern, text)
    assert Pattern(pattern, "search").first_group(text) == (match[1] if match else None)
    *_, last = [None, *re.finditer(pattern, text)]
    assert Pattern(pattern, "last").first_group(text) == (last[1] if last else None)


def test_common_patterns_cost_little() -> None:
    text = "The answer is clear, but long-winded. " * 30 + "GRADE: 7"
    pattern = Pattern(r"GRADE:\s*(\d+)", "search")
    pattern.first_group(text)
    began = time.perf_counter()
    for _ in range(200):
        assert pattern.first_group(text) == "7"
    assert (time.perf_counter() - began) / 200 < 0.005
