"""The stems of English words by Porter's algorithm of 1980, with the exceptions and small changes that the ROUGE of the
field uses. An own writing: the library that has them, NLTK, weighs 22 MB with all it needs."""

from collections.abc import Callable
from functools import lru_cache

_EXCEPTIONS = {
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    **{word: word for word in ("news", "howe", "succeed", "proceed", "exceed", "sky")},
    **{word: stem for stem in ("inning", "outing", "canning") for word in (stem, stem + "s")},
}

# The ending, and what takes its place; the first that fits decides.
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = tuple(
    "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize".split()  # noqa: SIM905
)


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The stem of a word in lower-case ASCII letters and digits."""
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    if len(word) <= 2:
        return word
    for step in (_plural, _past, _final_y, _double_ending, _single_ending, _bare_ending, _final_e):
        word = step(word)
    return word


def _shape(stem: str) -> str:
    """c for each consonant and v for each vowel; y is a vowel after a consonant."""
    shape = ""
    for letter in stem:
        vowel = letter in "aeiou" or (letter == "y" and shape[-1:] == "c")
        shape += "v" if vowel else "c"
    return shape


def _measure(stem: str) -> int:
    """How many times a vowel is followed by a consonant."""
    return _shape(stem).count("vc")


def _has_vowel(stem: str) -> bool:
    return "v" in _shape(stem)


def _ends_double(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _ends_short(word: str) -> bool:
    """Consonant, vowel, consonant, the last not w, x or y; or a vowel and a consonant, if that is the whole word."""
    shape = _shape(word)
    return (shape[-3:] == "cvc" and word[-1] not in "wxy") or shape == "vc"


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    for ending, kept in (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")):
        if word.endswith(ending):
            return word.removesuffix(ending) + kept
    return word


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        root = word.removesuffix(ending)
        if root != word and _has_vowel(root):
            break
    else:
        return word
    if root.endswith(("at", "bl", "iz")):
        return root + "e"
    if _ends_double(root):
        return root if root[-1] in "lsz" else root[:-1]
    return root + "e" if _measure(root) == 1 and _ends_short(root) else root


def _final_y(word: str) -> str:
    root = word.removesuffix("y")
    return root + "i" if root != word and len(root) > 1 and _shape(root)[-1] == "c" else word


def _double_ending(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _double_ending(word[:-2])
    if word.endswith("logi"):  # the l belongs to the stem here
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replaced(word, _STEP_2, lambda root: _measure(root) > 0)


def _single_ending(word: str) -> str:
    return _replaced(word, _STEP_3, lambda root: _measure(root) > 0)


def _bare_ending(word: str) -> str:
    for ending in _STEP_4:
        if word.endswith(ending):
            root = word.removesuffix(ending)
            if _measure(root) > 1 and (ending != "ion" or root[-1] in "st"):
                return root
            return word
    return word


def _final_e(word: str) -> str:
    root = word.removesuffix("e")
    if root != word and (_measure(root) > 1 or (_measure(root) == 1 and not _ends_short(root))):
        word = root
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _replaced(word: str, endings: tuple[tuple[str, str], ...], wanted: Callable[[str], bool]) -> str:
    for ending, kept in endings:
        if word.endswith(ending):
            root = word.removesuffix(ending)
            return root + kept if wanted(root) else word
    return word
