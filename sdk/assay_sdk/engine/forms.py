"""How one judge's server likes to be asked for structured output, found out without a single extra call.

The first request uses the standard form. A server that rejects it *for that form* is asked again in the next one, and
what was learnt holds for the rest of the run; it can be stored and given to the next run.
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
    PROMPT = "prompt"


_SPEAKS_OF_FORM = re.compile(
    r"response_?format|json_?schema|structured[ _]output|guided[ _]?(json|decoding)|nvext|grammar", re.IGNORECASE
)
_SPEAKS_OF_LIMIT = re.compile(r"'max_tokens' is not supported|use '?max_completion_tokens", re.IGNORECASE)

SCHEMA_INSTRUCTION = "Answer with one JSON object and nothing else. It has to follow this JSON schema:"


@dataclass(slots=True)
class Dialect:
    """What one model's server accepts. Shared by all rows in flight, so that they learn together."""

    form: Form = Form.JSON_SCHEMA
    token_limit: str = "max_tokens"

    def learn(self, refusal: str, body: Mapping[str, Any], used: Form | None) -> bool:
        """Take in why a request was refused; True if the same question should be asked again in another way.

        A row whose request was already on its way when another row learnt the same does not take a second step.
        """
        if "max_tokens" in body and _SPEAKS_OF_LIMIT.search(refusal):
            self.token_limit = "max_completion_tokens"
            return True
        if used is None or used is Form.PROMPT or not _SPEAKS_OF_FORM.search(refusal):
            return False
        if self.form is used:
            order = list(Form)
            self.form = order[order.index(used) + 1]
        return True


@dataclass(slots=True)
class FormState:
    """The dialect of every model in a run, by model and address. Give it to the next run to spare it the lesson."""

    dialects: dict[str, Dialect] = field(default_factory=dict)

    def of(self, model: str) -> Dialect:
        return self.dialects.setdefault(model, Dialect())

    def to_wire(self) -> dict[str, dict[str, str]]:
        return {name: {"form": d.form.value, "token_limit": d.token_limit} for name, d in self.dialects.items()}

    @classmethod
    def from_wire(cls, data: Mapping[str, Mapping[str, str]]) -> "FormState":
        return cls({name: Dialect(Form(d["form"]), d["token_limit"]) for name, d in data.items()})


def instruction(schema: Mapping[str, Any]) -> str:
    """The schema as a sentence of the prompt."""
    return f"{SCHEMA_INSTRUCTION} {orjson.dumps(schema).decode()}"
