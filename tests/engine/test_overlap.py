"""BLEU and ROUGE beside the libraries of the field, and where we differ from them on purpose."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_sdk.engine.aggregate import Summary
from assay_sdk.engine.bleu import bleu, counts_of
from assay_sdk.engine.overlap import BLEUCorpus
from assay_sdk.engine.result import RowScore, Score, ScoreState
from assay_sdk.engine.rouge import longest_common, rouge, words_of
from assay_sdk.engine.spec import parse_metric
from assay_sdk.engine.stem import stem

PIECES = ["run", "running", "the", "Mill", "3,500.75", "x_y", "don't", "--", "a-b", "5-6", "(end).", "fish &amp;", "\n",
          "-\n", "Noon,", "1.", "U.S.", "quickly", "  ", "<skipped>"]  # fmt: skip
ENDINGS = """
ational tional enci anci izer bli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti iviti
biliti fulli logi icate ative alize iciti ical ful ness ance able ement ment sion ion ies ied ed ing eed s y e ll
"""


def texts(rng: random.Random, most: int) -> str:
    return " ".join(rng.choice(PIECES) for _ in range(rng.randint(0, most)))


def test_sentences_score_as_the_library_scores_them() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    rng = random.Random(7)
    for _ in range(500):
        candidate, references = texts(rng, 12), [texts(rng, 12) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.2:
            references[0] = candidate
        theirs = sacrebleu.sentence_bleu(candidate, references).score
        assert bleu(counts_of(candidate, references)) == pytest.approx(theirs, abs=1e-9)


def test_a_corpus_scores_as_the_library_scores_it_with_all_references() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    rng = random.Random(8)
    for _ in range(200):
        candidates = [texts(rng, 12) for _ in range(rng.randint(1, 6))]
        streams = [[texts(rng, 12) if rng.random() < 0.6 else text for text in candidates] for _ in range(2)]
        corpus = BLEUCorpus()
        for candidate, *references in zip(candidates, *streams, strict=True):
            counts = counts_of(candidate, references)
            corpus.add([Score("sentence", bleu(counts), None, ScoreState.SCORED, counts=counts)])
        if corpus.counts[-1]:  # below four tokens the library gives 0
            assert corpus.value() == pytest.approx(sacrebleu.corpus_bleu(candidates, streams).score, abs=1e-9)


@pytest.mark.parametrize("text", ["door", "blue door", "the barge drifted past the mill at noon", "今日は雨が降る"])
def test_a_perfect_match_is_100_and_not_a_hair_more(text: str) -> None:
    assert bleu(counts_of(text, ["something else", text])) == 100.0


def test_an_unscored_row_is_no_part_of_the_corpus() -> None:
    metric = parse_metric({"type": "bleu", "references": ["x"], "candidate": "x"})
    summary = Summary([metric])
    summary.add(RowScore(0, {}, {}, {"bleu": [Score("sentence", None, None, ScoreState.TEMPLATE, "no answer")]}))
    (only,) = summary.to_wire()["scores"]
    assert only["name"] == "bleu.sentence"
    counts = counts_of("a b c d", ["a b c d"])
    summary.add(RowScore(1, {}, {}, {"bleu": [Score("sentence", 100.0, None, ScoreState.SCORED, counts=counts)]}))
    sentence, corpus = summary.to_wire(legacy=True)["scores"]
    assert (sentence["count"], sentence["nan_count"]) == (1, 1)
    assert (corpus["name"], corpus["count"], corpus["mean"]) == ("bleu.corpus", 1, 100.0)
    assert "median" not in corpus


def test_stems_are_those_of_the_library() -> None:
    porter = pytest.importorskip("nltk.stem.porter").PorterStemmer()
    rng = random.Random(9)
    letters = ["".join(rng.choice("abeiotyslxnw") for _ in range(rng.randint(1, 6))) for _ in range(2_000)]
    words = {word + rng.choice(ENDINGS.split()) + rng.choice(["", "", "s", "ed", "ing"]) for word in letters}
    for word in words | {"skies", "dying", "news", "innings", "succeed", "flies", "dies", "happy", "agreed", "2nd"}:
        assert stem(word) == porter.stem(word)


def test_ascii_texts_score_as_the_library_scores_them() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rouge3", "rougeL"], use_stemmer=True
    )
    rng = random.Random(10)
    for _ in range(500):
        reference, candidate = texts(rng, 15), texts(rng, 15)
        theirs = [score.fmeasure for score in scorer.score(reference, candidate).values()]
        assert rouge(words_of(reference), words_of(candidate)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("今日は雨", ["今", "日", "は", "雨"]),
        ("Der Straße entlang", ["der", "strass", "entlang"]),
        ("naïve café", ["naïve", "café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("東京2031年 running", ["東", "京", "2031", "年", "run"]),
        ("don’t — “stop”", ["don", "t", "stop"]),
    ],
)
def test_every_script_has_words(text: str, words: list[str]) -> None:
    assert [unicodedata.normalize("NFC", word) for word in words_of(text)] == words


@pytest.mark.parametrize(
    "text", ["今日は雨が降る", "la niña corrió al café", "Привет большой мир", "مرحبا بالعالم الجميل"]
)
def test_identical_text_scores_1_in_every_script(text: str) -> None:
    assert rouge(words_of(text), words_of(unicodedata.normalize("NFD", text))) == [1.0, 1.0, 1.0, 1.0]


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert longest_common(one, other) == table[-1][-1]


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_two_texts_have_scores_within_bounds(reference: str, candidate: str) -> None:
    assert all(0 <= value <= 1 for value in rouge(words_of(reference), words_of(candidate)))
    assert 0 <= bleu(counts_of(candidate, [reference])) <= 100
