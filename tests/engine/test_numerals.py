"""The number a text ends on, and texts brought to words."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_sdk.engine.numerals import exact, number_in
from assay_sdk.engine.words import words_of

READ = {
    "1,250": "1250",
    "1,250.75 in all": "1250.75",
    "1'250": "1250",
    "1\u202f250": "1250",
    "1_000": "1000",
    "2e3": "2000",
    "1e-7": "1e-7",
    "-4.5E+2 K": "-450",
    "3/4": "3/4",
    "8 / 10": "4/5",
    "-1 1/2": "-3/2",
    "A-4": "4",
    "COVID-19": "19",
    "x=-4": "-4",
    "\u22125": "-5",
    "-$5": "-5",
    "$-5.50": "-5.5",
    "5 - 3": "3",
    "- 2": "2",
    "it is 7.": "7",
    "No.5": "5",
    "ratio .5": "1/2",
    "first 3, then 8": "8",
    "42nd": "42",
    "\u0664\u0662": "42",
}
NOT_READ = [
    *("", "none", "inf", "3-5", "3\u20135", "2031-04-09", "4/9/2031", "12:30", "v1.2.3", "10.0.0.1", "1..5", "...5"),
    *("1,25", "1,2,3", "1.250,50", "1,250,00", "10\u00b2", "1\u00bd", "x\u00b2", "1/0", "in 2031 3/4", "1e999999999"),
]


@pytest.mark.parametrize(("text", "number"), READ.items())
def test_a_number_is_read_whole(text: str, number: str) -> None:
    assert number_in(text) == Fraction(number)


@pytest.mark.parametrize("text", NOT_READ)
def test_what_is_no_single_number_is_not_read(text: str) -> None:
    assert number_in(text) is None


@given(st.integers(-(10**15), 10**15), st.text("abc .,;", max_size=20))
def test_every_way_to_write_an_integer_is_read(number: int, before: str) -> None:
    for written in (f"{number}", f"{number:,}", f"{number:_}"):
        assert number_in(f"{before} : {written}") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_what_it_prints_as(number: float) -> None:
    assert exact(number) == number_in(repr(number))
    assert float(exact(number) or 0) == number


@given(st.text(max_size=200) | st.text("0123456789.,/-+eE $:'", max_size=60))
def test_any_text_is_read_or_not_but_nothing_is_raised(text: str) -> None:
    number_in(text)
    assert words_of(" ".join(words_of(text))) is not None


@pytest.mark.parametrize("piece", ["1", "1,", "1/", "1e", "1-", ". ", "1 1/2 ", "1,000,", "-$"])
def test_long_texts_take_no_long_time(piece: str) -> None:
    began = time.process_time()
    number_in(piece * 30_000)
    words_of(piece * 30_000)
    assert time.process_time() - began < 2


def test_what_is_not_finite_is_no_number() -> None:
    assert exact(float("inf")) is None
    assert exact(float("nan")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-5", "-5"),
        ("3.14", "3.14"),
        ("$20.", "$20"),
        ("20$", "20$"),
        ("-$1,000.50!", "-$1000.50"),
        ("3/4, 3-5 and 12:30", "3/4 3-5 and 12:30"),
        ("1,250 and 1,25", "1250 and 1,25"),
        ("(5)", "5"),
        ("The B-52, well-known.", "b52 wellknown"),
        ("the", "the"),
        ("The cat", "cat"),
        ("?!", ""),
    ],
)
def test_words_keep_numbers_whole(text: str, words: str) -> None:
    assert words_of(text) == words.split()
