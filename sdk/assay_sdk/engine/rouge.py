"""ROUGE: n-grams, and the longest common subsequence, of words by their stems, as F-measures.

ASCII text gives the numbers of the field's library. Other text is taken as its readers do: letters with their accents
and signs make words, and in scripts that put no space between words each character is one.
"""

import re
import unicodedata
from collections.abc import Sequence

from assay_sdk.engine.bleu import ngrams
from assay_sdk.engine.likeness import f_measure
from assay_sdk.engine.stem import stem

STEMMED_FROM = 4  # letters
_ASCII_WORDS = re.compile(r"[a-z0-9]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"  # Thai, Lao, Burmese, Khmer, kana, Han
)


def rouge(wanted: Sequence[str], found: Sequence[str]) -> list[float]:
    """ROUGE-1, -2, -3 and -L of words beside those of a reference, each 0 to 1."""
    scores = []
    for n in (1, 2, 3):
        there, right = ngrams(wanted, n), ngrams(found, n)
        scores.append(f_measure((there & right).total(), right.total(), there.total()))
    return [*scores, f_measure(longest_common(wanted, found), len(found), len(wanted))]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, English ones of more than three letters by their stems."""
    if text.isascii():
        words = _ASCII_WORDS.findall(text.lower())
    else:
        words = _written(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))
    return [stem(word) if len(word) >= STEMMED_FROM and word.isascii() else word for word in words]


def _written(text: str) -> list[str]:
    words: list[str] = []
    going_on = False  # whether a further letter belongs to the last word
    for character in text:
        kind = unicodedata.category(character)
        if kind[0] in "LN":
            alone = _UNSPACED.match(character) is not None
            if going_on and not alone:
                words[-1] += character
            else:
                words.append(character)
            going_on = not alone
        elif kind[0] == "M" and words:
            words[-1] += character  # an accent or a vowel sign
        elif kind != "Cf":  # joiners and marks of direction separate nothing
            going_on = False
    return words


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence: a row of bits for each word, all compared at once."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    whole = (1 << len(one)) - 1
    unmatched = whole
    for word in other:
        hits = unmatched & places.get(word, 0)
        unmatched = ((unmatched + hits) | (unmatched - hits)) & whole
    return len(one) - unmatched.bit_count()
