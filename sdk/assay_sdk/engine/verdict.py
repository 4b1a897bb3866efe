"""Where in a reply a score stands: under its key in a JSON object, or on a line or in an element of its own."""

import html
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from assay_sdk.engine.lenient import SCANNED_CHARACTERS, Scan, scan
from assay_sdk.engine.paths import Step, find
from assay_sdk.engine.values import INVISIBLE, Unread, excerpt

_THINKING = "think|thinking|thought|thoughts|reasoning|analysis|reflection|scratchpad"
_THOUGHT = re.compile(rf"<({_THINKING})>.*?</\1>|<(?:{_THINKING})>.*\Z", re.DOTALL | re.IGNORECASE)
_THOUGHT_ENDS = re.compile(rf"</(?:{_THINKING})>", re.IGNORECASE)
# Words that make the object after them, in the same sentence, somebody else's or a mere example.
_QUOTING = re.compile(
    r"\b(says?|said|claims?|claimed|contains?|containing|asks?|asked|instructs?|instruct\w*|tells?|told|demands?|"
    r"wants?|tries|tried|attempts?|example|e\.g|for instance|such as|would (be|have|deserve)|could be|instead of|"
    r"rather than|not|n't|never|unless|quot\w+|injects?\w*|ignor\w+|pretend\w*|schema|template|placeholder)\b"
    r"[^.!?\n]*$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\[[^\[\]]*\]|[\d.]+\s*(?:-|–|—|to|\.\.+|or|\|)\s*[\d.]+|\.\.\.|…|_+|\?+|"
    r"int|integer|number|float|score|string|str|label|value|x|n|your[ _]\w+",
    re.IGNORECASE,
)
_WRAPPERS = frozenset(
    [
        "result",
        "results",
        "score",
        "scores",
        "answer",
        "output",
        "response",
        "evaluation",
        "rating",
        "ratings",
        "verdict",
        "judgement",
        "judgment",
        "grade",
        "grades",
        "assessment",
        "final",
        "final_score",
        "final_answer",
        "arguments",
        "parameters",
        "json",
        "data",
    ]
)
_NAMES = ("name", "criterion", "criteria", "metric", "dimension", "key", "id", "aspect")
_FIGURES = ("score", "value", "rating", "grade", "label")
DEEPEST_WRAPPING = 3
LONGEST_PLACEHOLDER = 100


class Reply:
    """A judge's text, with the objects found in it (looked for once, and only if a score is read from JSON)."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def whole(self) -> dict[str, Any] | None:
        """The reply as it should be: one JSON object and nothing else."""
        try:
            value = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    @cached_property
    def said(self) -> str:
        """The text without what only looks different, and without thinking aloud."""
        text = self.text[-SCANNED_CHARACTERS:].translate(INVISIBLE)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, str):  # JSON within a JSON string
            text = value
        text = _THOUGHT.sub("", text)
        ends = [found.end() for found in _THOUGHT_ENDS.finditer(text)]
        return text[ends[-1] :] if ends else text

    @cached_property
    def scanned(self) -> Scan:
        found = scan(self.said)
        if found.objects:
            return found
        text = self.said
        if "&quot;" in text or "&#34;" in text:
            return scan(html.unescape(text))
        if '{\\"' in text:  # escaped as within a string, but without one around it
            return scan(text.replace('\\"', '"').replace("\\n", "\n"))
        if "{" not in text and text.lstrip()[:1] == '"' and text.rstrip().endswith("}"):
            return scan("{" + text)  # some servers begin the object for the model
        return found


def values_in(reply: Reply, path: str, steps: tuple[Step, ...]) -> list[Any]:
    """Every value that the reply gives the score, in order: one at least. Raises Unread if there is none to go by."""
    if reply.whole is not None:
        whole = [value for value in [_under(reply.whole, path, steps)] if value is not None]
        if not whole:
            raise Unread(f"the reply has no '{path}', or null there: {excerpt(reply.text)}")
        return whole
    scanned = reply.scanned
    if "{" not in scanned.text and (found := list(_on_lines(scanned.text, path))):
        return found
    if _loose(path).search(scanned.rest):
        raise Unread(f"the reply names '{path}' outside of any readable JSON object: {excerpt(reply.text)}")
    if not scanned.objects:
        raise Unread(f"the reply is not a JSON object: {excerpt(reply.text)}")
    given = [
        (_under(found.value, path, steps), bool(_QUOTING.search(scanned.text[max(0, found.start - 120) : found.start])))
        for found in scanned.objects
    ]
    given = [(value, quoted) for value, quoted in given if value is not None]
    while len(given) > 1 and (given[0][1] or _is_placeholder(given[0][0])):
        given.pop(0)
    if not given:
        raise Unread(f"the reply has no '{path}', or null there: {excerpt(reply.text)}")
    if any(quoted for _, quoted in given):
        raise Unread(f"the reply quotes '{path}' rather than giving it: {excerpt(reply.text)}")
    return [value for value, _ in given]


def holds_object(text: str) -> bool:
    """Whether the reply is, or has in it, a readable object: what any kind of structured output would give."""
    reply = Reply(text)
    return reply.whole is not None or bool(reply.scanned.objects)


def _under(value: dict[str, Any], path: str, steps: tuple[Step, ...], depth: int = 0) -> Any:
    if path in value:
        return value[path]
    found = find(value, steps)
    if found is not None or len(steps) != 1 or depth > DEEPEST_WRAPPING:
        return found
    alike = [key for key in value if _folded(str(key)) == _folded(path)]
    if alike:
        return value[alike[0]] if len(alike) == 1 else None
    inside = [inner for key, inner in value.items() if _folded(str(key)) in _WRAPPERS]
    gathered = [_wrapped(inner, path, steps, depth + 1) for inner in inside] + [_entry(value, path)]
    gathered = [inner for inner in gathered if inner is not None]
    return gathered[0] if gathered and all(inner == gathered[0] for inner in gathered) else None


def _wrapped(inner: Any, path: str, steps: tuple[Step, ...], depth: int) -> Any:
    if isinstance(inner, str) and "{" in inner:
        objects = scan(inner).objects
        inner = objects[0].value if len(objects) == 1 else None
    if isinstance(inner, dict):
        return _under(inner, path, steps, depth)
    if isinstance(inner, list):
        entries = [_under(entry, path, steps, depth) for entry in inner if isinstance(entry, dict)]
        entries = [entry for entry in entries if entry is not None]
        return entries[0] if len(entries) == 1 else None
    return None


def _entry(value: dict[str, Any], path: str) -> Any:
    """`{"name": "clarity", "score": 3}` is how some models write `{"clarity": 3}`."""
    named = [value[name] for name in _NAMES if isinstance(value.get(name), str)]
    figures = [value[name] for name in _FIGURES if name in value]
    return figures[0] if len(named) == len(figures) == 1 and _folded(named[0]) == _folded(path) else None


def _is_placeholder(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_PLACEHOLDER and bool(_PLACEHOLDER.fullmatch(value.strip()))


def _on_lines(text: str, path: str) -> Iterator[str]:
    """The values on lines that say nothing but the score (`clarity: 4`), in table rows, and in elements."""
    key = _name_pattern(path)
    line = re.compile(
        rf"^[ \t]{{0,20}}(?:[-*•|#]{{1,6}}[ \t]|\d{{1,3}}[.)][ \t])?[ \t|]{{0,20}}[*_`\"'“]{{0,5}}{key}[*_`\"'”]{{0,5}}"
        rf"(?:[ \t](?:score|rating|grade))?[*_`]{{0,5}}[ \t]{{0,20}}(?:[:：=|]|->|→)[*_`]{{0,5}}(.*)$",
        re.IGNORECASE | re.MULTILINE,
    )
    element = re.compile(
        rf"^[ \t]{{0,20}}<(?:{key}|(\w+)[ \t]\w+=[\"']{key}[\"'])>([^<>]*)</(?:{key}|\1)>[ \t]{{0,20}}$",
        re.IGNORECASE | re.MULTILINE,
    )
    for found in line.finditer(text):
        yield found[1].strip().strip("|,;").strip().strip("*_`\"'“”").strip()
    for found in element.finditer(text):
        yield found[2].strip()


def _loose(path: str) -> re.Pattern[str]:
    return re.compile(rf"[\"'“”‘’\\]{re.escape(path)}[\"'“”‘’\\]+\s*[:：]")


def _name_pattern(path: str) -> str:
    return r"[ _\-]".join(re.escape(part) for part in re.split(r"[ _\-]", path))


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]+", "_", name.translate(INVISIBLE).strip(" \t*_`\"'").casefold())
