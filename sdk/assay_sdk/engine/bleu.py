"""BLEU, for a sentence and for a corpus: n-grams up to four, 13a tokens, the closest reference length, exponential
smoothing. The numbers of sacreBLEU, except that a perfect match is exactly 100, however short (docs/metrics.md)."""

import math
import re
from collections import Counter
from collections.abc import Sequence

ORDERS = 4

Counts = tuple[int, ...]
"""What a text comes to: its length, its reference's, then how many n-grams of each order are right, and how many there
are. Those of several texts are added up."""

_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_STEPS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"([{-~\[-` -&(-+:-@/])", r" \1 "),  # ASCII punctuation but . , - and '
        (r"([^0-9])([.,])", r"\1 \2 "),  # . and , stay in numbers only
        (r"([.,])([^0-9])", r" \1 \2"),
        (r"([0-9])(-)", r"\1 \2 "),
    )
]


def tokens_of(text: str) -> list[str]:
    """The tokens of a text by the rules of the mteval script, version 13a, on which BLEU scores have agreed."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    return text.split()


def counts_of(candidate: str, references: Sequence[str]) -> Counts:
    """What one text comes to beside its references. An n-gram is right as often as one of the references has it."""
    found = tokens_of(candidate)
    wanted = [tokens_of(reference) for reference in references]
    closest = min((abs(len(found) - len(tokens)), len(tokens)) for tokens in wanted)[1]
    right, there = [], []
    for n in range(1, ORDERS + 1):
        grams = ngrams(found, n)
        allowed: Counter[tuple[str, ...]] = Counter()
        for tokens in wanted:
            allowed |= ngrams(tokens, n)
        right.append((grams & allowed).total())
        there.append(grams.total())
    return (len(found), closest, *right, *there)


def bleu(counts: Counts) -> float:
    """The score, 0 to 100. Orders for which the texts are too short are left out, which sacreBLEU does in sentences."""
    found, wanted, *rest = counts
    right, there = rest[:ORDERS], [total for total in rest[ORDERS:] if total]
    if not any(right):
        return 0.0
    if right[: len(there)] == there and found >= wanted:
        return 100.0  # where logarithms would make it 100.00000000000004
    smoothing = 1
    logarithms = []
    for hits, total in zip(right, there, strict=False):
        if not hits:
            smoothing *= 2
        logarithms.append(math.log(hits / total if hits else 1 / (smoothing * total)))
    brevity = min(0.0, 1 - wanted / found)
    return 100 * math.exp(brevity + math.fsum(logarithms) / len(logarithms))


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n tokens occurs."""
    return Counter(zip(*(tokens[start:] for start in range(n)), strict=False))
