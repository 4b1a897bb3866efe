"""What was asked differently in two evaluations: their prompts word by word, and their other settings."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from assay.jobs.models import Job
from assay.jobs.parts import metrics_of
from assay.jobs.shown_spec import shown_spec

Kind = Literal["same", "gone", "new"]
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
WORD = re.compile(r"\w")
MOST_WORK = 1_000_000
"""Words of one side times words of the other: longer passages are shown as replaced whole."""
TEMPLATE, SYSTEM = "prompt_template", "system_prompt"
DEFAULT_PROMPT = "(No prompt of its own: the default one is made from the scores.)"
UNSAID = frozenset({"supported_job_types", "job_type"})
"""Members of a metric that follow from the rest."""
OF_TARGET = ("target", TEMPLATE, SYSTEM, "params", "field_mapping")
"""Members of a job's spec that say how the answers come about which are judged."""


class Piece(NamedTuple):
    """A passage that both texts have, or that was taken out, or put in."""

    kind: Kind
    text: str


class Passage(NamedTuple):
    """A text of the prompt, as it became."""

    where: str
    pieces: list[Piece]

    @property
    def changed(self) -> bool:
        return any(piece.kind != "same" for piece in self.pieces)


class Setting(NamedTuple):
    """A setting of both; empty where one does not have it."""

    where: str
    before: str
    after: str


class Changes(NamedTuple):
    """What two evaluations have in common, and what not."""

    passages: list[Passage]
    settings: list[Setting]
    """Those that differ; ``alike`` are the others."""
    alike: list[Setting]


@dataclass
class Asked:
    """What an evaluation asked: texts and settings, by where they stand."""

    texts: dict[str, str]
    settings: dict[str, str]


def changes_between(first: Job, second: Job) -> Changes:
    """Return how what ``second`` asked differs from what ``first`` asked."""
    before, after = _metrics(first), _metrics(second)
    alone = len(before) == len(after) == 1
    one, other = _asked(first, before, alone), _asked(second, after, alone)
    passages = [
        Passage(where, word_diff(one.texts.get(where, ""), other.texts.get(where, "")))
        for where in {**one.texts, **other.texts}
    ]
    settings = [
        Setting(where, one.settings.get(where, ""), other.settings.get(where, ""))
        for where in {**one.settings, **other.settings}
    ]
    differ = [setting for setting in settings if setting.before != setting.after]
    return Changes(passages, differ, [setting for setting in settings if setting.before == setting.after])


def word_diff(before: str, after: str) -> list[Piece]:
    """Return the pieces that make ``after`` of ``before``: without the new ones the one, without the gone the other."""
    return list(_joined(_by_lines(before, after)))


def _by_lines(before: str, after: str) -> Iterator[Piece]:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, start, stop, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[start:stop]), "".join(new[begin:end])
        if tag == "equal":
            yield Piece("same", gone)
        else:
            yield from _by_words(TOKEN.findall(gone), TOKEN.findall(come))


def _by_words(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    if len(old) * len(new) > MOST_WORK:
        yield from (Piece("gone", "".join(old)), Piece("new", "".join(new)))
        return
    # Spaces are everywhere: by themselves they are no sign of a passage that stayed, and to try them all takes long.
    for tag, start, stop, begin, end in SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(old[start:stop]))
        else:
            yield from (Piece("gone", "".join(old[start:stop])), Piece("new", "".join(new[begin:end])))


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Yield the pieces with changes next to each other put together, even over a comma that both have."""
    gone = come = between = ""
    for kind, text in pieces:
        if kind == "gone":
            gone, come, between = gone + between + text, come + between, ""
        elif kind == "new":
            gone, come, between = gone + between, come + between + text, ""
        elif (gone or come) and not WORD.search(text):
            between += text
        else:
            yield from _change(gone, come)
            yield from [Piece("same", between + text)] if between + text else []
            gone = come = between = ""
    yield from _change(gone, come)
    yield from [Piece("same", between)] if between else []


def _change(gone: str, come: str) -> Iterator[Piece]:
    if gone:
        yield Piece("gone", gone)
    if come:
        yield Piece("new", come)


def _metrics(job: Job) -> dict[str, dict[str, Any]]:
    """Return the job's metrics by their result keys, with every default said."""
    try:
        found = metrics_of(job)
    except ValidationError:  # of another version of this platform: as they are
        return {str(place): definition for place, definition in enumerate(job.metrics, 1)}
    return {key: metric.model_dump(mode="json", by_alias=True, exclude_none=True) for key, metric in found.items()}


def _asked(job: Job, metrics: Mapping[str, dict[str, Any]], alone: bool) -> Asked:
    """Return what the job asked; the only metric of both jobs needs no name."""
    asked = Asked({}, {})
    for key, definition in metrics.items():
        said = {name: value for name, value in definition.items() if name not in UNSAID}
        if said.get("type") == "llm-judge" and TEMPLATE not in said:
            said[TEMPLATE] = DEFAULT_PROMPT
        _walk(said, "" if alone else key, asked)
    spec = shown_spec(job)
    _walk({name: spec[name] for name in OF_TARGET if spec.get(name)}, "answers", asked)
    asked.settings.pop("answers.params.parallelism", None)  # how fast, not what
    asked.settings["dataset"] = _dataset(job)
    if job.limit_samples:
        asked.settings["rows at most"] = str(job.limit_samples)
    return asked


def _dataset(job: Job) -> str:
    fileset = job.dataset_fileset
    if fileset is None:
        return "rows sent with the job"
    file = f"#{job.dataset_fragment}" if job.dataset_fragment else ""
    return f"{fileset.workspace.name}/{fileset.name}{file} at {job.dataset_revision[:12] or 'its newest'}"


def _walk(value: Any, place: str, asked: Asked) -> None:
    """Take in what ``value`` holds, texts of prompts apart from settings."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name in (TEMPLATE, SYSTEM) and member:
                _prompt(name, member, place, asked)
            else:
                _walk(member, f"{place}.{name}" if place else str(name), asked)
    elif isinstance(value, list) and value and all(isinstance(member, Mapping) for member in value):
        for name, member in zip(_names(value), value, strict=True):
            _walk(member, f"{place}.{name}", asked)
    elif value not in (None, "", []):
        asked.settings[place] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _names(members: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what to call the members of a list: by name or label where each has its own, else by number."""
    for key in ("name", "label"):
        names = [str(member.get(key) or "") for member in members]
        if all(names) and len(set(names)) == len(names):
            return names
    return [str(number) for number in range(1, len(members) + 1)]


def _prompt(name: str, value: Any, place: str, asked: Asked) -> None:
    before = f"{place}: " if place else ""
    if name == SYSTEM:
        asked.texts[f"{before}system prompt"] = str(value)
    elif not isinstance(value, Mapping):
        asked.texts[f"{before}prompt"] = str(value)
    else:
        counted: Counter[str] = Counter()
        for message in value.get("messages") or []:
            role = str(message.get("role", "")) if isinstance(message, Mapping) else "a"
            counted[role] += 1
            number = f" {counted[role]}" if counted[role] > 1 else ""
            asked.texts[f"{before}{role} message{number}"] = _content(message)
        if value.get("prompt"):
            asked.texts[f"{before}prompt"] = str(value["prompt"])
        rest = {key: member for key, member in value.items() if key not in ("messages", "prompt")}
        _walk(rest, f"{place}.{TEMPLATE}" if place else TEMPLATE, asked)


def _content(message: Any) -> str:
    content = message.get("content") if isinstance(message, Mapping) else message
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False, default=str)
