"""How one judge's server likes to be asked for structured output, found out without a single extra call.

The first request uses the standard form. A server that rejects it *for that form* is asked again in the next one, and
what was learnt holds for the rest of the run; it can be stored and given to the next run. A server that takes a form
and ignores it shows by replies that hold no object; then the schema goes into the prompt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson


class Form(StrEnum):
    """The ways to ask for a schema, in the order in which they are tried."""

    JSON_SCHEMA = "json_schema"
    GUIDED_JSON = "guided_json"
    NVEXT = "nvext"
    TOOL = "tool"
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"

    @property
    def next(self) -> "Form":
        """The form to try when this one is refused."""
        order = list(Form)
        return order[min(order.index(self) + 1, len(order) - 1)]


TOOL_NAME = "give_verdict"

_SPEAKS_OF_FORM = re.compile(
    r"response_?format|json_?(schema|object)|structured[ _]output|guided[ _]?(json|decoding)|nvext|grammar",
    re.IGNORECASE,
)
_SPEAKS_OF_TOOLS = re.compile(r"\btools?\b|tool[_ -]?(choice|call|use)|function[_ -]?call", re.IGNORECASE)
_SPEAKS_OF_LIMIT = re.compile(r"'max_tokens' is not supported|use '?max_completion_tokens", re.IGNORECASE)

SCHEMA_INSTRUCTION = "Answer with one JSON object and nothing else. It has to follow this JSON schema:"


@dataclass(slots=True)
class Dialect:
    """What one model's server accepts. Shared by all rows in flight, so that they learn together.

    `steps` tells how the form was arrived at. `answered`: the server has answered in this run or the one before.
    """

    form: Form = Form.JSON_SCHEMA
    token_limit: str = "max_tokens"
    steps: list[str] = field(default_factory=list)
    answered: bool = False
    held: int = field(default=0, compare=False)  # replies that held an object, and those that should have
    missed: int = field(default=0, compare=False)

    def form_for(self, body: Mapping[str, Any], asked: Form | None = None) -> Form:
        """The form to use for a request: a tool call needs messages, and a request with its own tools keeps them."""
        form = asked or self.form
        if "messages" not in body and form in (Form.TOOL, Form.JSON_OBJECT):
            return Form.PROMPT
        return Form.JSON_OBJECT if form is Form.TOOL and "tools" in body else form

    def learn(self, refusal: str, body: Mapping[str, Any], used: Form | None) -> bool:
        """Take in why a request was refused; True if the same question should be asked again in another way.

        A row whose request was already on its way when another row learnt the same does not take a second step.
        """
        if "max_tokens" in body and _SPEAKS_OF_LIMIT.search(refusal):
            self.token_limit = "max_completion_tokens"
            return True
        words = _SPEAKS_OF_TOOLS if used is Form.TOOL else _SPEAKS_OF_FORM
        if used is None or used is Form.PROMPT or not words.search(refusal):
            return False
        if self.form is used or (self.form is Form.TOOL and used is Form.JSON_OBJECT):
            self._leave("refused", used.next)
        return True

    def saw(self, *, an_object: bool) -> None:
        """Whether a reply in the form in use held an object."""
        if an_object:
            self.held += 1
        else:
            self.missed += 1

    @property
    def doubtful(self) -> bool:
        """Whether the server seems to ignore the form. One that follows it may give a bad reply, but not mostly."""
        return self.form is not Form.PROMPT and self.missed > self.held

    @property
    def fallback(self) -> Form:
        """The next form down that puts the schema into the prompt."""
        return Form.PROMPT if self.form in (Form.JSON_OBJECT, Form.PROMPT) else Form.JSON_OBJECT

    def ignored(self, used: Form, better: Form) -> None:
        """Another form brought the object that the one in use did not."""
        if self.form is used and better is not used:
            self._leave("ignored", better)

    def _leave(self, why: str, form: Form) -> None:
        self.steps.append(f"{self.form.value} {why}")
        self.form, self.held, self.missed = form, 0, 0


@dataclass(slots=True)
class FormState:
    """The dialect of every model in a run, by model and address. Give it to the next run to spare it the lesson."""

    dialects: dict[str, Dialect] = field(default_factory=dict)

    def of(self, model: str) -> Dialect:
        return self.dialects.setdefault(model, Dialect())

    def to_wire(self) -> dict[str, dict[str, str]]:
        return {name: _to_wire(dialect) for name, dialect in self.dialects.items()}

    @classmethod
    def from_wire(cls, data: Mapping[str, Mapping[str, str]]) -> "FormState":
        return cls({name: _from_wire(kept) for name, kept in data.items()})


def _to_wire(dialect: Dialect) -> dict[str, str]:
    kept = {"form": dialect.form.value, "token_limit": dialect.token_limit}
    if dialect.steps:
        kept["because"] = ", ".join(dialect.steps)
    if dialect.answered:
        kept["answered"] = "yes"
    return kept


def _from_wire(kept: Mapping[str, str]) -> Dialect:
    steps = kept["because"].split(", ") if kept.get("because") else []
    return Dialect(Form(kept["form"]), kept["token_limit"], steps, kept.get("answered") == "yes")


def instruction(schema: Mapping[str, Any]) -> str:
    """The schema as a sentence of the prompt."""
    return f"{SCHEMA_INSTRUCTION} {orjson.dumps(schema).decode()}"
