"""Which files of a folder a fragment means: one path, a folder, or a pattern."""

import re
from collections.abc import Callable, Iterable

from assay_sdk.engine.unpack import suffix_of

TEXT = (".json", ".jsonl", ".csv")
COLUMNAR = (".parquet", ".feather", ".arrow")
READABLE = (*TEXT, *COLUMNAR)
KNOWN = (*READABLE, ".orc")  # refused when it is read, rather than left out in silence

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)

LONGEST = 4096
"""Characters of a pattern; a longer one fits nothing."""

Accepts = Callable[[str], bool]


def select(paths: Iterable[str], fragment: str | None) -> list[str]:
    """The data files that a fragment means, sorted; empty if nothing fits. Without a fragment all of them.

    In a pattern `*` and `?` stay within a folder, `**` does not. Folders and patterns leave out files that are no data
    and hidden ones (`.cache/a.json`), unless the fragment itself names something hidden. A path as it stands is taken
    whatever it is, so that reading it can say what is wrong with it.
    """
    wanted = (fragment or "").strip("/")
    everything = sorted(paths)
    if wanted in everything:
        return [wanted]
    folder = f"{wanted}/" if wanted else ""
    fits = _pattern(wanted) if re.search(r"[*?\[]", wanted) else lambda path: path.startswith(folder)
    named = "/." in f"/{wanted}"
    data = [path for path in everything if suffix_of(path) in KNOWN and (named or "/." not in f"/{path}")]
    return [path for path in data if fits(path)]


def _pattern(pattern: str) -> Accepts:
    """Follows all ways to match at once, each a bit of a number, so that no pattern takes long."""
    steps = _Steps(pattern)

    def fits(path: str) -> bool:
        states = steps.reach(1)
        for character in path:
            states = steps.after(states, character)
            if not states:
                return False
        return bool(states & steps.end)

    return fits if len(pattern) <= LONGEST else _nothing


class _Steps:
    """What a pattern asks for, one bit each: to take a character and move on, or to take any number of them.

    `**/` is two: whether there are folders at all, and then what is inside them up to a slash.
    """

    def __init__(self, pattern: str) -> None:
        self.ones: dict[str, int] = {}
        """By character."""
        self.classes: dict[str, tuple[Accepts, int]] = {}
        self.any_one = self.within = self.anything = self.folders = self.inside = 0
        self.end = 1
        before = ""
        for token in _TOKENS.findall(pattern):
            if token.startswith("**") and token == before:
                continue  # once says the same
            before = token
            self._add(token)
        self.seen: dict[str, tuple[int, int]] = {}

    def _add(self, token: str) -> None:
        bit = self.end
        self.end <<= 1
        if token == "**/":
            self.folders |= bit
            self.inside |= self.end
            self.end <<= 1
        elif token == "**":
            self.anything |= bit
        elif token == "*":
            self.within |= bit
        elif token == "?":
            self.any_one |= bit
        elif len(token) > 1:
            accepts, bits = self.classes.get(token) or (_class(token), 0)
            self.classes[token] = accepts, bits | bit
        else:
            self.ones[token] = self.ones.get(token, 0) | bit

    def reach(self, states: int) -> int:
        """Return the states with those that are reached from them without a character."""
        while True:
            more = states | (states & (self.within | self.anything)) << 1
            more |= (states & self.folders) << 1 | (states & self.folders) << 2
            if more == states:
                return states
            states = more

    def after(self, states: int, character: str) -> int:
        """Return the states that a character leads to."""
        known = self.seen.get(character)
        if known is None:
            known = self.seen[character] = self._takers(character)
        moving, staying = known
        after = (states & moving) << 1 | states & staying
        if character == "/":
            after |= (states & self.inside) << 1
        return self.reach(after)

    def _takers(self, character: str) -> tuple[int, int]:
        """Return which steps take a character and move on, and which take it and stay."""
        moving = self.ones.get(character, 0)
        for accepts, bits in self.classes.values():
            if accepts(character):
                moving |= bits
        if character == "/":
            return moving, self.anything | self.inside
        return moving | self.any_one, self.anything | self.inside | self.within


def _nothing(text: str) -> bool:
    return False


def _class(token: str) -> Accepts:
    negated = token[1] in "!^"
    members = token[1 + negated : -1]
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(members):
        last = at + 2 if members[at + 1 : at + 2] == "-" and at + 2 < len(members) else at
        ranges.append((members[at], members[last]))  # one the wrong way round holds nothing
        at = last + 1
    return lambda character: character != "/" and negated != any(low <= character <= high for low, high in ranges)
