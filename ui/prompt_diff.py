"""What was asked differently in two evaluations: their prompts word by word, and their other settings."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from os.path import commonprefix
from typing import Any, Literal, NamedTuple, cast

from pydantic import ValidationError

from assay.jobs.models import Job
from assay.jobs.parts import metrics_of
from assay.jobs.shown_spec import shown_spec

Kind = Literal["same", "gone", "new"]
KINDS: tuple[Kind, ...] = ("same", "gone", "new")
TOKEN = re.compile(r"(\s*)(\w+|[^\w\s]|\Z)")
WORD = re.compile(r"\w")
CRUMBS = 2
"""So few words between two changes that are longer than they are no passage that stayed."""
MOST_WORK = 1_000_000
"""Words of one side times words of the other: longer passages are shown as replaced whole."""
MOST_PAIRS = 50_000_000
"""Places that hold the same on both sides, times the length of a side: what all comparing may take."""
LONGEST = 200_000
"""Characters of texts that are taken apart into words."""
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
    found: list[Piece] = []
    for gone, come in _blocks(before, after):
        found += [Piece("same", gone)] if gone == come else _by_words(gone, come)
    return list(_pieces(_without_crumbs(_alternating(found))))


def _blocks(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield passages that stand in the place of each other: the texts, or their lines if they are long."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    if _comparable(before, after) or _too_alike(old, new):
        yield before, after
        return
    for _, start, stop, begin, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield "".join(old[start:stop]), "".join(new[begin:end])


def _by_words(before: str, after: str) -> list[Piece]:
    whole: list[Piece] = [Piece("gone", before), Piece("new", after)]
    if not _comparable(before, after):
        return whole
    found = []
    old, new = TOKEN.findall(before), TOKEN.findall(after)
    # Words alone are matched, and the space before each goes with it: spaces are everywhere, and match anything.
    words = [word for _, word in old], [word for _, word in new]
    if _too_alike(*words):
        return whole
    for tag, start, stop, begin, end in SequenceMatcher(None, *words, autojunk=False).get_opcodes():
        if tag == "equal":
            for (space, word), (spaced, _) in zip(old[start:stop], new[begin:end], strict=True):
                found += [] if space == spaced else [Piece("gone", space), Piece("new", spaced)]
                found.append(Piece("same", space + word if space == spaced else word))
        else:
            found.append(Piece("gone", "".join(map("".join, old[start:stop]))))
            found.append(Piece("new", "".join(map("".join, new[begin:end]))))
    return found


def _comparable(before: str, after: str) -> bool:
    """Return whether the texts have few enough words to compare each with each."""
    if len(before) + len(after) > LONGEST:
        return False
    return len(TOKEN.findall(before)) * len(TOKEN.findall(after)) <= MOST_WORK


def _too_alike(old: Sequence[str], new: Sequence[str]) -> bool:
    """Return whether so much is the same on both sides, again and again, that matching it would take minutes."""
    before, after = Counter(old), Counter(new)
    pairs = sum(count * after[part] for part, count in before.items())
    return pairs * min(len(old), len(new)) > MOST_PAIRS


def _alternating(pieces: Iterable[Piece]) -> list[list[str]]:
    """Return what stayed, what went and what came, in turns: ``[stayed, gone, come, stayed, …, stayed]``."""
    turns = [["", "", ""]]
    for kind, text in pieces:
        if kind == "same" and (turns[-1][1] or turns[-1][2]):
            turns.append(["", "", ""])
        turns[-1][KINDS.index(kind)] += text
    return turns


def _without_crumbs(turns: list[list[str]]) -> list[list[str]]:
    """Return the turns with larger changes for those between which only a word or two stayed, by accident."""
    kept = [list(turns[0])]
    for place, (stayed, gone, come) in enumerate(turns[1:], 1):
        before, last = kept[-1], place == len(turns) - 1 and not gone and not come
        around = min(max(len(before[1]), len(before[2])), max(len(gone), len(come)))
        crumb = not WORD.search(stayed) or (len(stayed) <= around and len(stayed.split()) <= CRUMBS)
        if crumb and not last:
            before[1] += stayed + gone
            before[2] += stayed + come
        else:
            kept.append([stayed, gone, come])
    return kept


def _pieces(turns: Iterable[Sequence[str]]) -> Iterator[Piece]:
    """Yield the turns as pieces; space that a change begins and ends with on both sides stays."""
    held = ""
    for stayed, gone, come in turns:
        lead = _shared_space(gone, come)
        trail = _shared_space(gone[len(lead) :][::-1], come[len(lead) :][::-1])[::-1]
        if same := held + stayed + lead:
            yield Piece("same", same)
        end = -len(trail) or None
        for kind, text in (("gone", gone), ("new", come)):
            if left := text[len(lead) : end]:
                yield Piece(cast(Kind, kind), left)
        held = trail
    if held:
        yield Piece("same", held)


def _shared_space(one: str, other: str) -> str:
    """Return the space that both begin with; nothing where one of them is empty."""
    shared = commonprefix([one, other])
    return shared[: len(shared) - len(shared.lstrip())]


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
