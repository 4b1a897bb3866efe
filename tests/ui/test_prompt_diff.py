"""Prompts word by word: what a diff says was taken out and put in, and what it leaves alone."""

import time

import pytest

from assay.ui.prompt_diff import Piece, word_diff

TEXTS = [
    ("", ""),
    ("", "Rate it."),
    ("Rate it.", ""),
    ("Rate it strictly, from 0 to 4.", "Rate it kindly, from 0 to 10."),
    ("one\ntwo\nthree\n", "one\n2\nthree\nfour"),
    ("Be fair. Be quick.", "Be quick. Be fair."),
    ("  spaces  matter \n", " spaces matter\n\n"),
    ("Ein Satz über Äpfel – „gut“.", "Ein Satz über Birnen – „gut“."),
]


@pytest.mark.parametrize(("before", "after"), TEXTS)
def test_the_pieces_make_both_texts(before: str, after: str) -> None:
    pieces = word_diff(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == after
    assert all(piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a b\nc\n" * 400, "b a\nc\n" * 400),
        (" ".join(f"a x{n}" for n in range(490)), " ".join(f"a y{n}" for n in range(490))),
        ("a\n" * 100_000, "a\n" * 99_999 + "b\n"),
        ("".join(f"{n}\n" for n in range(100_000)), "".join(f"{n + 1}\n" for n in range(100_000))),
        ("x " * 3_000_000, "y " * 3_000_000),
    ],
)
def test_texts_made_to_be_compared_for_ever_are_not(before: str, after: str) -> None:
    began = time.thread_time()
    pieces = word_diff(before, after)
    assert time.thread_time() - began < 4
    assert "".join(piece.text for piece in pieces if piece.kind != "new") == before


def test_a_word_is_exchanged_and_the_rest_stays() -> None:
    assert word_diff("You rate answers strictly, from 0 to 4.", "You rate answers kindly, from 0 to 4.") == [
        Piece("same", "You rate answers "),
        Piece("gone", "strictly"),
        Piece("new", "kindly"),
        Piece("same", ", from 0 to 4."),
    ]


def test_words_put_in_after_a_word_leave_that_word_alone() -> None:
    pieces = word_diff("Rate strictly, please.", "Rate strictly but fairly, please.")
    assert [piece for piece in pieces if piece.kind != "same"] == [Piece("new", " but fairly")]


def test_neighbouring_words_are_exchanged_as_one_passage() -> None:
    changed = [piece for piece in word_diff("a very strict judge", "a rather kind judge") if piece.kind != "same"]
    assert changed == [Piece("gone", "very strict"), Piece("new", "rather kind")]


def test_long_prompts_take_no_time() -> None:
    before = " ".join(f"word{place % 97} and" for place in range(20_000))
    started = time.perf_counter()
    pieces = word_diff(before, before.replace("word13", "another"))
    assert time.perf_counter() - started < 5
    assert any(piece.kind == "new" for piece in pieces)
