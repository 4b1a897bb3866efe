"""Texts brought to a form in which trifles no longer matter: exact match and F1 compare these."""

import re

# Punctuation that is part of a number: a sign, a decimal point, a separator between digits, a currency sign.
_OF_NUMBERS = r"(?<=\d)[.,:/\-](?=\d) | (?<![\w.])-(?=\.?\d|\$\.?\d) | (?<![\w.])\.(?=\d) | \$(?=-?\.?\d) | (?<=\d)\$"
_PUNCTUATION = re.compile(rf"({_OF_NUMBERS}) | [!-/:-@\[-`{{-~]", re.VERBOSE)
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,]|\.\d*[.,]\d)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without articles and ASCII punctuation, numbers left whole.

    -5, 3.14 and $20 are not 5, 314 and 20; 1,000 is 1000. A text of nothing but articles keeps them: it is not empty.
    """
    lowered = _THOUSANDS.sub(lambda number: number[0].replace(",", ""), text.lower())
    plain = _PUNCTUATION.sub(lambda mark: mark[1] or "", lowered)
    return _ARTICLES.sub(" ", plain).split() or plain.split()
