"""The form of a new evaluation, as it was typed, and what it asks for: a judge, and the request that makes the job."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from assay_sdk.engine.request import merged

AS_TYPED = frozenset({"system", "user", "more", "description", "pattern"})
"""Fields whose white space counts."""
KINDS = {"range": "A range of numbers", "rubric": "A rubric of labels"}
PARSERS = {"json": "JSON: the value at a path", "regex": "Text: the first group of a pattern"}
METHODS = {"match": "at the start of the reply", "search": "its first match", "last": "its last match"}
OWN = frozenset({"type", "scores", "prompt_template"})
"""Settings of a judge that ``more`` may not hold, for the form has fields for them."""
OWN_OF_MODEL = frozenset({"url", "name", "api_key_secret"})


@dataclass(frozen=True)
class GradeFields:
    """One grade of a rubric, as typed."""

    number: str = "0"
    """Which of the score's grades, as the names of its inputs have it."""
    label: str = ""
    value: str = ""
    meaning: str = ""

    def definition(self) -> dict[str, Any]:
        """Return it as a rubric's entry."""
        return {"label": self.label, "value": number(self.value), "description": self.meaning or None}

    @property
    def empty(self) -> bool:
        return not (self.label or self.value or self.meaning)


@dataclass(frozen=True)
class ScoreFields:
    """One score, as typed."""

    number: str = "0"
    """Which score, as the names of its inputs have it."""
    name: str = ""
    kind: str = "range"
    description: str = ""
    min: str = ""
    max: str = ""
    parser: str = "json"
    path: str = ""
    pattern: str = ""
    method: str = "match"
    grades: tuple[GradeFields, ...] = (GradeFields("0"), GradeFields("1"))

    def definition(self) -> dict[str, Any]:
        """Return it as a metric's score; what is no number stays as it was typed, for the engine to refuse."""
        found: dict[str, Any] = {"name": self.name, "description": self.description or None}
        if self.parser == "regex":
            found["parser"] = {"type": "regex", "pattern": self.pattern, "method": self.method}
        elif self.path:
            found["parser"] = {"type": "json", "json_path": self.path}
        if self.kind == "rubric":
            return {**found, "rubric": [grade.definition() for grade in self.grades_meant]}
        return {**found, "minimum": number(self.min), "maximum": number(self.max)}

    @property
    def grades_meant(self) -> list[GradeFields]:
        """The grades in which anything was typed."""
        return [grade for grade in self.grades if not grade.empty]


@dataclass(frozen=True)
class JudgeForm:
    """All of the form, as typed."""

    workspace: str = ""
    fileset: str = ""
    """``workspace/name``"""
    file: str = ""
    """A path or a pattern; empty for every data file."""
    url: str = ""
    model: str = ""
    secret: str = ""
    temperature: str = "0"
    max_tokens: str = ""
    samples: str = "1"
    system: str = ""
    user: str = ""
    more: str = ""
    """Further settings of the judge, as JSON."""
    scores: tuple[ScoreFields, ...] = field(default=(ScoreFields(),))
    name: str = ""
    description: str = ""
    parallelism: str = "8"
    limit_samples: str = ""
    cache: str = "on"
    """Empty when its box is not ticked."""
    budget_tokens: str = ""
    budget_cost: str = ""

    @classmethod
    def of(cls, sent: Mapping[str, str]) -> "JudgeForm":
        """Return the form that was sent."""
        names = [each.name for each in fields(cls) if each.name not in {"scores", "cache"}]
        texts = {name: _typed(sent[name], name) for name in names if name in sent}
        return cls(**texts, cache=sent.get("cache", ""), scores=_scores(sent))

    def judge(self) -> dict[str, Any]:
        """Return the definition of the LLM judge, to be parsed by the engine; raises ``ValueError`` for ``more``."""
        inference = {"temperature": number(self.temperature), "max_tokens": number(self.max_tokens)}
        asked = {name: value for name, value in inference.items() if value is not None}
        found: dict[str, Any] = {
            "type": "llm-judge",
            "model": {"url": self.url, "name": self.model} | ({"api_key_secret": self.secret} if self.secret else {}),
            "scores": [score.definition() for score in self.scores],
        }
        found |= {"inference": asked} if asked else {}
        found |= {"prompt_template": {"messages": self.messages()}} if self.messages() else {}
        return merged(found, self.settings())

    def metric(self) -> dict[str, Any]:
        """Return the definition of the metric: the judge, asked as often as was said."""
        if self.samples in {"", "1"}:
            return self.judge()
        return {"type": "self-consistency", "judge": self.judge(), "samples": number(self.samples)}

    def messages(self) -> list[dict[str, str]]:
        """Return the prompt's messages that have a text; none where the engine's own prompt is to be used."""
        prompts = {"system": self.system, "user": self.user}
        return [{"role": role, "content": text} for role, text in prompts.items() if text.strip()]

    def settings(self) -> dict[str, Any]:
        """Return what ``more`` holds; raises ``ValueError`` for what is no object, or has fields of its own."""
        if not self.more.strip():
            return {}
        try:
            found = json.loads(self.more)
        except ValueError as error:
            raise ValueError(f"This is not JSON: {error}.") from None
        if not isinstance(found, dict):
            raise ValueError('Write an object, such as {"retries_unscored": 0}.')
        model = found.get("model")
        if model is not None and not isinstance(model, dict):
            raise ValueError('"model" must be an object.')
        taken = (found.keys() & OWN if self.messages() else found.keys() & (OWN - {"prompt_template"})) or (
            OWN_OF_MODEL & (model or {}).keys()
        )
        if taken:
            raise ValueError(f'"{min(taken)}" has a field of its own in this form.')
        return found

    def dataset(self) -> str:
        """Return the rows as a job names them."""
        return f"{self.fileset}#{self.file}" if self.file else self.fileset

    def custom_fields(self) -> dict[str, Any] | None:
        """Return the job's options that differ from what they are when nobody says anything."""
        limits = {"tokens": number(self.budget_tokens), "cost_usd": number(self.budget_cost)}
        budget = {name: value for name, value in limits.items() if value is not None}
        said: dict[str, Any] = ({} if self.cache else {"cache": False}) | ({"budget": budget} if budget else {})
        return {"assay": said} if said else None


def number(text: str) -> int | float | str | None:
    """Return the number that was typed; None for nothing, and the text for what is no number."""
    if not text:
        return None
    if re.fullmatch(r"[+-]?\d{1,30}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII) else text


def _typed(text: str, name: str) -> str:
    """Return what was typed: browsers send lines as CRLF, and nothing stores a NUL."""
    text = text.replace("\r\n", "\n").replace("\x00", "")
    return text if name in AS_TYPED else text.strip()


def _scores(sent: Mapping[str, str]) -> tuple[ScoreFields, ...]:
    """Return the scores in the order of the page; their numbers may have gaps, for scores can be removed."""
    numbers = dict.fromkeys(found[1] for found in (re.match(r"score-(\d{1,6})-", name) for name in sent) if found)
    return tuple(_score(sent, number) for number in numbers)


def _score(sent: Mapping[str, str], number: str) -> ScoreFields:
    prefix = f"score-{number}-"
    names = [each.name for each in fields(ScoreFields) if each.name not in {"number", "grades"}]
    texts = {name: _typed(sent[prefix + name], name) for name in names if prefix + name in sent}
    found = (re.match(rf"{prefix}(?:label|value|meaning)-(\d{{1,6}})$", name) for name in sent)
    grades = dict.fromkeys(match[1] for match in found if match)

    def part(name: str, grade: str) -> str:
        return _typed(sent.get(f"{prefix}{name}-{grade}", ""), name)

    read = tuple(GradeFields(n, part("label", n), part("value", n), part("meaning", n)) for n in grades)
    return ScoreFields(number, **texts, grades=read or ScoreFields.grades)
