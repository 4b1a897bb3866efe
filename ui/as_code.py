"""The same evaluation as code: with the SDK, and as a request to the REST API. Both run as they stand."""

import json
import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from assay_sdk.engine.scores import JSONScoreParser
from assay_sdk.engine.spec import Metric, RunConfig

WIDTH = 100
TOKEN = "ASSAY_TOKEN"
"""The environment variable that holds an access token, where the platform asks for one."""


@dataclass(frozen=True)
class Place:
    """The platform and the workspace that the code is for."""

    url: str
    """Without a slash at its end."""
    workspace: str
    signs_in: bool
    """Whether the platform asks for a sign-in."""


@dataclass
class Source:
    """Python source of values; ``names`` are what it takes from the SDK."""

    names: set[str] = field(default_factory=set)

    def of(self, value: Any, indent: int = 0, used: int = 0) -> str:
        """Return an expression for the value, for a place so deep, on a line of which so much is used already."""
        if isinstance(value, str):
            return _text(value, indent)
        if isinstance(value, BaseModel):
            name = type(value).__name__
            self.names.add(name)
            return self._group(f"{name}(", self._arguments(value), ")", indent, used)
        if isinstance(value, Mapping):
            return self._group(
                "{", [(f"{_text(str(key))}: ", inner) for key, inner in value.items()], "}", indent, used
            )
        if isinstance(value, list | tuple):
            return self._group("[", [("", inner) for inner in value], "]", indent, used)
        return repr(value)

    def call(self, start: str, arguments: list[tuple[str, Any]]) -> str:
        """Return a call whose arguments are given as (``name=``, value)."""
        return self._group(f"{start}(", arguments, ")", 0, 0)

    def _group(self, start: str, parts: list[tuple[str, Any]], end: str, indent: int, used: int) -> str:
        flat = start + ", ".join(name + self.of(value) for name, value in parts) + end
        if "\n" not in flat and indent + used + len(flat) <= WIDTH:
            return flat
        inner = indent + 4
        lines = [f"{' ' * inner}{name}{self.of(value, inner, len(name) + 1)},\n" for name, value in parts]
        return f"{start}\n{''.join(lines)}{' ' * indent}{end}"

    def _arguments(self, value: BaseModel) -> list[tuple[str, Any]]:
        """Return what the model was told, without what it would take for itself."""
        said: dict[str, Any] = {}
        for name, about in type(value).model_fields.items():
            given = getattr(value, name)
            own = JSONScoreParser(json_path=getattr(value, "name", "")) if name == "parser" else None
            if given not in (about.get_default(call_default_factory=True), own):
                said[name] = given
        said |= value.model_extra or {}
        plain = {name: each for name, each in said.items() if name.isidentifier() and not keyword.iskeyword(name)}
        other = {name: each for name, each in said.items() if name not in plain}
        return [(f"{name}=", each) for name, each in plain.items()] + ([("**", other)] if other else [])


def sdk_code(metric: Metric, body: Mapping[str, Any], here: Place) -> str:
    """Return a program that submits the evaluation, waits for it and prints what came of it."""
    source = Source()
    params = body["spec"]["params"]
    config = RunConfig.model_validate(params)
    options = (body.get("custom_fields") or {}).get("assay") or {}
    arguments: list[tuple[str, Any]] = [("", _Name("judge")), ("", body["spec"]["dataset"])]
    arguments += [(f"{name}=", body[name]) for name in ("name", "description") if body.get(name)]
    arguments += [] if config == RunConfig() else [("config=", config)]
    arguments += [(f"{name}=", options[name]) for name in ("cache", "budget") if name in options]
    token = [("token=", _Name(f'os.environ["{TOKEN}"]'))] if here.signs_in else []
    platform = [("", here.url), ("workspace=", here.workspace), *token]
    lines = [
        f"judge = {source.of(metric)}",
        f"assay = {source.call('Assay', platform)}",
        f"job = {source.call('assay.evaluator.submit', arguments)}",
        "print(job.wait().result().summary())",
    ]
    names = sorted({"Assay", *source.names}, key=str.lower)
    imported = f"from assay_sdk import {', '.join(names)}"
    if len(imported) > WIDTH:
        imported = "from assay_sdk import (\n" + "".join(f"    {name},\n" for name in names) + ")"
    return "\n".join([*(["import os", ""] if here.signs_in else []), imported, "", *lines]) + "\n"


def rest_call(body: Mapping[str, Any], here: Place) -> str:
    """Return a command for a shell that makes the same job."""
    address = f"{here.url}/apis/evaluator/v2/workspaces/{here.workspace}/evaluate/jobs"
    token = f' -H "Authorization: Bearer ${TOKEN}"' if here.signs_in else ""
    # Within a quoted here-document a shell takes every character for itself.
    return (
        f"curl -sS --fail-with-body -X POST '{address}'{token} \\\n"
        f"  -H 'Content-Type: application/json' --data-binary @- <<'JSON'\n"
        f"{json.dumps(body, indent=2, ensure_ascii=False)}\nJSON\n"
    )


class _Name:
    """Source that stands for itself."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _text(text: str, indent: int = 0) -> str:
    """Return a string literal; of several lines, one literal a line."""
    lines = text.split("\n")
    pieces = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    if len(pieces) < 2:
        return json.dumps(text, ensure_ascii=False)  # what JSON escapes, Python does in the same way
    inner = " " * (indent + 4)
    return "(\n" + "".join(f"{inner}{json.dumps(each, ensure_ascii=False)}\n" for each in pieces) + " " * indent + ")"
