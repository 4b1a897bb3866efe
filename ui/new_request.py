"""From the form of a new evaluation to the request that makes the job, or to what is wrong with each of its fields."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from assay.evaluator.wire import JobRequest
from assay.jobs.options import Options
from assay.platform.api import check
from assay.platform.errors import Invalid
from assay.platform.wire import is_name
from assay.ui.judge_form import JudgeForm, number
from assay.ui.new_prompt import troubles_in
from assay_sdk.client.submission import job_spec
from assay_sdk.engine.spec import Metric, RunConfig, parse_metric

Mistakes = dict[str, str]
"""Field → what is wrong with what was typed there; the empty name stands for the form as a whole."""

FIELDS = {
    ("model", "url"): "url",
    ("model", "name"): "model",
    ("model", "api_key_secret"): "secret",
    ("inference", "temperature"): "temperature",
    ("inference", "max_tokens"): "max_tokens",
    ("scores",): "scores",
    ("samples",): "samples",
    ("prompt_template",): "user",
    ("parallelism",): "parallelism",
    ("limit_samples",): "limit_samples",
    ("budget", "tokens"): "budget_tokens",
    ("budget", "cost_usd"): "budget_cost",
}
"""Where pydantic finds a mistake → the field that it came from."""
OF_SCORE = {"name": "name", "minimum": "min", "maximum": "max", "pattern": "pattern", "json_path": "path"}
OF_GRADE = {"label": "label", "value": "value", "description": "meaning"}
NEEDED = "This is needed."
NUMBERS = ("int_", "float_", "decimal_", "finite_")
SCORE_NAME = "Use small letters, digits and underscores only."
NAME = (
    "A name has 2 to 63 characters: small letters, digits and any of -@.+_, beginning with a letter, not ending with "
    "a hyphen, without two hyphens in a row."
)


@dataclass(frozen=True)
class Asked:
    """What the form asks for, sound as far as that can be told without looking anything up."""

    metric: Metric
    body: dict[str, Any]
    """The body of the request that makes the job."""
    request: JobRequest


class FormWrong(Exception):
    """The form cannot be understood; ``mistakes`` says why, field by field."""

    def __init__(self, mistakes: Mistakes) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in mistakes.items()))
        self.mistakes = mistakes


def read_request(form: JudgeForm) -> Asked:
    """Return what the form asks for; raises ``FormWrong`` with every mistake."""
    mistakes: Mistakes = {}
    metric = _metric(form, mistakes)
    config = _config(form, mistakes)
    _check_rest(form, mistakes)
    if mistakes or metric is None or config is None:
        raise FormWrong(mistakes)
    body = {
        "name": form.name or None,
        "description": form.description.strip() or None,
        "custom_fields": form.custom_fields(),
        "spec": job_spec(metric, form.dataset(), workspace=form.workspace, config=config),
    }
    body = {name: value for name, value in body.items() if value is not None}
    try:
        return Asked(metric, body, check(JobRequest, body, "body"))
    except Invalid as error:
        raise FormWrong(by_field(error, form)) from None


def read_metric(form: JudgeForm) -> Metric:
    """Return the metric; raises ``FormWrong``."""
    mistakes: Mistakes = {}
    metric = _metric(form, mistakes)
    if metric is None or mistakes:
        raise FormWrong(mistakes)
    return metric


def by_field(error: Invalid, form: JudgeForm) -> Mistakes:
    """Return what a verb refused as mistakes of the fields that it came from."""
    if isinstance(error.detail, str):
        return {"": error.detail}
    found: Mistakes = {}
    for entry in error.detail:
        place = field_of([part for part in entry["loc"] if part not in {"body", "spec", "params"}], form)
        text = in_words(entry)
        found.setdefault(place, text if place else f"{'.'.join(map(str, entry['loc'][1:]))}: {text}")
    return found


def field_of(place: Sequence[int | str], form: JudgeForm) -> str:
    """Return the field that a place in a definition or in a body came from; empty for none."""
    names = [part for part in place if part not in {"judge", "custom_fields", "assay"}]
    if not names:
        asked_again = not place and form.samples not in {"", "1"}
        return "samples" if asked_again else "more" if form.more.strip() else ""
    if names[0] in {"name", "description", "workspace"}:
        return str(names[0])
    if names[0] == "dataset":
        return "fileset"
    if names[0] == "scores" and len(names) > 1 and isinstance(names[1], int) and names[1] < len(form.scores):
        return _field_of_score(names[1], names[2:], form)
    found = FIELDS.get(tuple(map(str, names[:2]))) or FIELDS.get((str(names[0]),))
    if names[0] == "prompt_template" and not form.messages():
        found = None
    return found or ("more" if form.more.strip() else "")


def _field_of_score(index: int, names: Sequence[int | str], form: JudgeForm) -> str:
    score = form.scores[index]
    start = f"score-{score.number}-"
    if "rubric" in names[1:] and any(isinstance(name, int) for name in names):
        grade = next(name for name in names if isinstance(name, int))
        last = next((OF_GRADE[name] for name in names if isinstance(name, str) and name in OF_GRADE), "label")
        if grade < len(score.grades_meant):
            return f"{start}{last}-{score.grades_meant[grade].number}"
    if score.kind == "rubric" and names[-1:] == ["rubric"]:
        return f"{start}label-{score.grades[0].number}"
    named = next((OF_SCORE[name] for name in names if isinstance(name, str) and name in OF_SCORE), None)
    return start + (named or ("max" if score.kind == "range" else "name"))


def in_words(entry: ErrorDetails | dict[str, Any]) -> str:
    """Return what pydantic found, for people who fill in forms."""
    kind, text = entry["type"], entry["msg"]
    if kind in {"missing", "string_too_short"} or entry.get("input") in ("", None):
        return NEEDED
    if kind.startswith(NUMBERS):
        return "Give a whole number." if kind.startswith("int_") else "Give a number."
    if kind == "too_short":
        return "Give at least two."
    if kind == "string_pattern_mismatch":
        return "It has characters that are not allowed here."
    text = text.removeprefix("Value error, ").replace("Input should be", "It must be", 1)
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _metric(form: JudgeForm, mistakes: Mistakes) -> Metric | None:
    for name, trouble in troubles_in(form).items():
        mistakes[name] = str(trouble)
    try:
        definition = form.metric()
    except ValueError as error:
        mistakes["more"] = str(error)
        definition = replace(form, more="").metric()
    if not form.scores:
        mistakes["scores"] = "Add a score: what the judge is to say."
    try:
        return parse_metric(definition)
    except ValidationError as error:
        for entry in error.errors(include_url=False, include_context=False):
            place = field_of(entry["loc"], form)
            if place == "user" and "system" in mistakes:
                continue  # the engine speaks of the template as a whole
            text = _of_score(entry) if place.startswith("score-") else in_words(entry)
            mistakes.setdefault(place, text if place else f"{'.'.join(map(str, entry['loc']))}: {text}")
        return None


def _of_score(entry: ErrorDetails) -> str:
    """Return what is wrong with a score, whose numbers need not be whole."""
    text = in_words(entry)
    if entry["type"] == "string_pattern_mismatch" and text != NEEDED:
        return SCORE_NAME
    return "Give a number." if text == "Give a whole number." else text


def _config(form: JudgeForm, mistakes: Mistakes) -> RunConfig | None:
    said = {"parallelism": number(form.parallelism), "limit_samples": number(form.limit_samples)}
    try:
        return RunConfig.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            mistakes.setdefault(str(entry["loc"][0]), in_words(entry))
        return None


def _check_rest(form: JudgeForm, mistakes: Mistakes) -> None:
    if not form.workspace:
        mistakes["workspace"] = "Choose a workspace."
    if not form.fileset:
        mistakes["fileset"] = "Choose a fileset."
    if form.system.strip() and not form.user.strip():
        mistakes["user"] = "Say here what the judge is shown of each row; the system prompt alone is no question."
    if form.name and not is_name(form.name):
        mistakes["name"] = NAME
    try:
        Options.of(form.custom_fields())
    except Invalid as error:
        for name, text in by_field(error, form).items():
            mistakes.setdefault(name, text)
