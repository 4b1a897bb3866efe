"""The form of a new evaluation as templates show it: each field with its label, what was typed, and what is wrong."""

import re
from dataclasses import dataclass, fields
from typing import Any

from assay.ui.judge_form import GradeFields, JudgeForm, ScoreFields

LABELS = {
    "workspace": "Workspace",
    "fileset": "Fileset",
    "file": "File",
    "url": "Address",
    "model": "Model",
    "secret": "Secret with its API key",
    "temperature": "Temperature",
    "max_tokens": "Most tokens in a reply",
    "samples": "Times to ask about each row",
    "system": "System prompt",
    "user": "User prompt",
    "more": "Further settings of the judge, as JSON",
    "scores": "Scores",
    "name": "Name",
    "description": "Description",
    "parallelism": "Rows at once",
    "limit_samples": "Most rows",
    "cache": "Replies kept from before may stand in for calls",
    "budget_tokens": "Pause after so many tokens",
    "budget_cost": "Pause after so many US dollars",
}
SCORE_LABELS = {
    "name": "Name",
    "kind": "Scale",
    "description": "What it says",
    "min": "Lowest",
    "max": "Highest",
    "parser": "Read from the reply as",
    "path": "JSON path",
    "pattern": "Pattern",
    "method": "Which match",
    "label": "Label",
    "value": "Value",
    "meaning": "When it applies",
}
NEW = "__score__"
NEW_GRADE = "__grade__"
"""What stands in the place of a number in what the browser makes further scores and grades of."""


@dataclass(frozen=True)
class Field:
    """One input."""

    name: str
    label: str
    value: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class ShownGrade:
    """The inputs of one grade of a rubric."""

    parts: dict[str, Field]


@dataclass(frozen=True)
class ShownScore:
    """The inputs of one score."""

    number: str
    parts: dict[str, Field]
    grades: list[ShownGrade]


def shown_fields(form: JudgeForm, mistakes: dict[str, str]) -> dict[str, Field]:
    """Return the fields by name, without those of the scores."""
    names = [each.name for each in fields(form) if each.name != "scores"]
    return {name: Field(name, LABELS[name], getattr(form, name), mistakes.get(name, "")) for name in names}


def shown_score(score: ScoreFields, mistakes: dict[str, str]) -> ShownScore:
    """Return the inputs of a score."""
    names = [each.name for each in fields(score) if each.name not in {"number", "grades"}]
    start = f"score-{score.number}-"
    parts = {name: _part(start + name, name, getattr(score, name), mistakes) for name in names}
    return ShownScore(score.number, parts, [shown_grade(score.number, grade, mistakes) for grade in score.grades])


def shown_grade(score: str, grade: GradeFields, mistakes: dict[str, str]) -> ShownGrade:
    """Return the inputs of a grade."""
    values = {"label": grade.label, "value": grade.value, "meaning": grade.meaning}
    inputs = {name: (f"score-{score}-{name}-{grade.number}", value) for name, value in values.items()}
    return ShownGrade({name: _part(place, name, value, mistakes) for name, (place, value) in inputs.items()})


def blank_score() -> ShownScore:
    """Return what the browser copies for a further score."""
    return shown_score(ScoreFields(number=NEW), {})


def blank_grade() -> ShownGrade:
    """Return what the browser copies for a further grade."""
    return shown_grade(NEW, GradeFields(number=NEW_GRADE), {})


def listed(mistakes: dict[str, str], form: JudgeForm) -> list[Field]:
    """Return the mistakes with the labels of their fields, in the order of the page."""
    order = list(LABELS)
    found = [Field(name, label_of(name, form), wrong=text) for name, text in mistakes.items()]
    return sorted(found, key=lambda each: order.index("scores" if "score-" in each.name else each.name or "workspace"))


def label_of(name: str, form: JudgeForm) -> str:
    """Return how a field is called where it is not in sight."""
    found = re.match(r"score-(\d+)-(\w+?)(?:-\d+)?$", name)
    if found is None:
        return LABELS.get(name, "")
    place = next((at for at, score in enumerate(form.scores, 1) if score.number == found[1]), 0)
    return f"Score {place}, {SCORE_LABELS[found[2]].lower()}"


def _part(place: str, name: str, value: Any, mistakes: dict[str, str]) -> Field:
    return Field(place, SCORE_LABELS[name], value, mistakes.get(place, ""))
