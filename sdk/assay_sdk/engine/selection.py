"""Which files of a folder a fragment means: one path, a folder, or a pattern."""

import re
from collections.abc import Callable, Iterable

from assay_sdk.engine.unpack import suffix_of

TEXT = (".json", ".jsonl", ".csv")
COLUMNAR = (".parquet", ".feather", ".arrow")
READABLE = (*TEXT, *COLUMNAR)
KNOWN = (*READABLE, ".orc")  # refused when it is read, rather than left out in silence

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)

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
    """Follows all ways to match at once: time in proportion to both lengths, whatever the pattern."""
    # A step takes a character and moves on, or (`stays`) takes any number of them. `**/` is two steps: whether there
    # are folders at all, and then what is inside them up to a slash.
    steps: list[tuple[str, Accepts]] = []
    for token in _TOKENS.findall(pattern):
        if token == "**/":
            steps += [("folders", _nothing), ("inside", _anything)]
        elif token == "**":
            steps.append(("stays", _anything))
        elif token == "*":
            steps.append(("stays", _within))
        else:
            steps.append(("one", _within if token == "?" else _class(token) if len(token) > 1 else token.__eq__))
    end = len(steps)

    def reach(states: set[int]) -> set[int]:
        open_ = list(states)
        while open_:
            at = open_.pop()
            kind = steps[at][0] if at < end else ""
            onward = {"stays": (at + 1,), "folders": (at + 1, at + 2)}.get(kind, ())
            for state in onward:
                if state not in states:
                    states.add(state)
                    open_.append(state)
        return states

    start = reach({0})

    def fits(path: str) -> bool:
        states = start
        for character in path:
            after: set[int] = set()
            for at in states:
                if at < end and steps[at][1](character):
                    kind = steps[at][0]
                    after.add(at + 1 if kind == "one" else at)
                    if kind == "inside" and character == "/":
                        after.add(at + 1)
            states = reach(after)
            if not states:
                return False
        return end in states

    return fits


def _nothing(character: str) -> bool:
    return False


def _anything(character: str) -> bool:
    return True


def _within(character: str) -> bool:
    return character != "/"


def _class(token: str) -> Accepts:
    negated = token[1] in "!^"
    members = token[1 + negated : -1]
    inner = "".join(character if character == "-" else re.escape(character) for character in members)
    try:
        among = re.compile(f"[{'^' * negated}{inner}]", re.DOTALL)
    except re.error:  # a range the wrong way round holds nothing
        return _nothing
    return lambda character: character != "/" and among.match(character) is not None
