"""The prompt of a new evaluation, rendered on a real row as the engine does it, and where it cannot be."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from assay.ui.judge_form import JudgeForm
from assay.ui.new_preview import SHOWN_CHARACTERS, clipped
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.judge import Judge
from assay_sdk.engine.request import as_text
from assay_sdk.engine.result import Failure, Row
from assay_sdk.engine.spec import LLMJudgeMetric
from assay_sdk.engine.target import stored_sample
from assay_sdk.engine.template import compile_template
from assay_sdk.engine.worktime import WORK_TIME

LIVE_SECONDS = 2.0
"""Of work on all renderings of one request: a thread of the web server is no place for a slow template."""
LONGEST_GUESSED = 100
"""Characters of a column's name that may be what a misspelt one meant; the search for it is slow for long ones."""
MOST_GUESSED = 500
CODE = "<template>"
"""How Jinja names the file of what it compiles."""


@dataclass(frozen=True)
class Trouble:
    """Why a template cannot be used, and where in it."""

    why: str
    line: int | None = None
    source: str = ""
    """That line."""

    def __str__(self) -> str:
        return f"Line {self.line}: {self.why}" if self.line else self.why


@dataclass(frozen=True)
class Message:
    """One message of a rendered prompt."""

    role: str
    text: str

    @property
    def shown(self) -> str:
        """The text, as far as a page shows it."""
        return clipped(self.text, SHOWN_CHARACTERS)


@dataclass(frozen=True)
class Rendered:
    """What the judge would be sent about a row, or what is in the way."""

    messages: list[Message]
    troubles: dict[str, Trouble]
    """Field → trouble; the empty name stands for no field in particular."""
    default: bool = False
    """Whether it is the engine's own prompt, for none was written."""
    waits: str = ""
    """What has to be filled in first."""


def rendered(form: JudgeForm, index: int, item: dict[str, Any]) -> Rendered:
    """Return the prompt of a row."""
    return all_rendered(form, [(index, item)])[0]


def all_rendered(form: JudgeForm, rows: Iterable[tuple[int, dict[str, Any]]]) -> list[Rendered]:
    """Return the prompts of these rows; once the time of one request is used up, troubles in their place."""
    with WORK_TIME.within(LIVE_SECONDS):
        return [_rendered(form, index, item) for index, item in rows]


def _rendered(form: JudgeForm, index: int, item: dict[str, Any]) -> Rendered:
    default = not form.messages()
    troubles = troubles_in(form)
    if troubles:
        return Rendered([], troubles, default)
    try:
        metric = _judge(form)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        if found["loc"][:1] == ("scores",):
            return Rendered([], {}, default, waits="Write a prompt, or finish the scores: a prompt is made from them.")
        where = ".".join(map(str, found["loc"]))
        return Rendered([], {"": Trouble(f"{where}: {found['msg']}")}, default)
    row = Row(index, item)
    sample = stored_sample(row)
    try:
        # Asked for nothing but its prompt, a judge calls nobody.
        prompt = Judge(metric, None, online=False).prompt(row, sample)  # type: ignore[arg-type]
    except TemplateFailure as error:  # the time was used up since its parts were looked at
        return Rendered([], {"": Trouble(str(error))}, default)
    if isinstance(prompt, Failure):
        scores = {score.name: score.model_dump(exclude={"parser"}) for score in metric.scores}
        context = {**item, **sample, "item": item, "sample": sample, "scores": scores}
        return Rendered([], troubles_in(form, context) or {"": Trouble(prompt.text)}, default)
    return Rendered(_messages(prompt), {}, default)


def troubles_in(form: JudgeForm, context: Mapping[str, Any] | None = None) -> dict[str, Trouble]:
    """Return what is wrong with each of the two prompts: as templates, and, with a ``context``, for that row."""
    prompts = {"system": form.system, "user": form.user}
    found = {name: _trouble(text, context) for name, text in prompts.items() if text.strip()}
    return {name: trouble for name, trouble in found.items() if trouble}


def _judge(form: JudgeForm) -> LLMJudgeMetric:
    """Return the judge, with somebody else in the place of a model that nobody has named yet, and of its scores."""
    # What a prompt comes to does not depend on who is asked; nobody is.
    nameless = replace(form, url="http://localhost", model="judge", secret="")
    try:
        definition = nameless.judge()
    except ValueError:
        definition = replace(nameless, more="").judge()
    definition.pop("inference", None)
    try:
        return LLMJudgeMetric.model_validate(definition)
    except ValidationError as error:
        if not form.messages() or any(found["loc"][:1] != ("scores",) for found in error.errors()):
            raise
    scores = [{"name": "score", "minimum": 0, "maximum": 1}]
    return LLMJudgeMetric.model_validate({**definition, "scores": scores})


def _trouble(source: str, context: Mapping[str, Any] | None) -> Trouble | None:
    try:
        render = compile_template(source)
        if context is not None:
            render(context)
    except TemplateFailure as error:
        return _told(error, source)
    return None


def _told(error: TemplateFailure, source: str) -> Trouble:
    why = str(error).partition(". Template: ")[0].rstrip(".") + "."
    if error.missing and len(error.missing) <= LONGEST_GUESSED:
        known = [name for name in error.available[:MOST_GUESSED] if len(name) <= LONGEST_GUESSED]
        near = difflib.get_close_matches(error.missing, known, 1)
        why += f" Did you mean '{near[0]}'?" if near else ""
    line = _line_of(error, source)
    lines = source.split("\n")
    return Trouble(why, line, lines[line - 1].strip()) if line and line <= len(lines) else Trouble(why)


def _line_of(error: TemplateFailure, source: str) -> int | None:
    """Return the line that Jinja complains about: it says so in its error, or in the traceback that it rewrites."""
    cause = error.__cause__
    first = source[: len(source) - len(source.lstrip())].count("\n")  # a lone expression is compiled without them
    lone = source.strip().startswith("{{") and source.count("{{") == 1 and source.strip().endswith("}}")
    line = getattr(cause, "lineno", None)
    if isinstance(line, int):
        return line + first if lone else line
    trace = cause.__traceback__ if cause else None
    while trace:
        if trace.tb_frame.f_code.co_filename == CODE and not lone:
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None and error.missing:
        found = re.search(rf"\b{re.escape(error.missing)}\b", source)
        line = source.count("\n", 0, found.start()) + 1 if found else None
    return line


def _messages(prompt: Any) -> list[Message]:
    """Return a rendered template as messages, whatever form it has."""
    if isinstance(prompt, Mapping) and isinstance(prompt.get("messages"), list):
        found = [each for each in prompt["messages"] if isinstance(each, Mapping)]
        return [Message(str(each.get("role", "")), as_text(each.get("content", ""))) for each in found]
    return [Message("prompt", as_text(prompt.get("prompt", prompt) if isinstance(prompt, Mapping) else prompt))]
