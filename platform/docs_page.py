"""The API's description as a page for people: rendered here, with no script and nothing from elsewhere."""

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from assay.platform.auth import known_only
from assay.platform.openapi import schema

DEEPEST = 6
"""Levels of nested objects in an example."""
NOTHING: dict[str, Any] = {}


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    """Its type in words; ``links`` are the models that these name."""
    links: tuple[str, ...]
    required: bool
    note: str


@dataclass(frozen=True)
class Answer:
    status: str
    kind: str
    """Empty where there is no body."""
    links: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    note: str
    parameters: list[Field]
    body: Answer
    answers: list[Answer]
    curl: str


@dataclass(frozen=True)
class Model:
    name: str
    note: str
    fields: list[Field]
    kind: str


@known_only
def page(request: HttpRequest) -> HttpResponse:
    document = schema()
    return render(
        request,
        "docs.html",
        {"info": document["info"], "groups": _groups(request.build_absolute_uri("/").rstrip("/")), "models": _models()},
    )


@lru_cache(maxsize=4)
def _groups(server: str) -> list[tuple[str, list[Operation]]]:
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation.get("tags", ["Other"])[0], []).append(
                _operation(server, path, method, operation)
            )
    return sorted(groups.items())


def _operation(server: str, path: str, method: str, operation: dict[str, Any]) -> Operation:
    content = operation.get("requestBody", {}).get("content", {})
    body: dict[str, Any] = next(iter(content.values()), NOTHING).get("schema", {})
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        note=operation.get("description", ""),
        parameters=[
            Field(
                name=parameter["name"],
                kind=f"{parameter['in']}, {_kind(parameter.get('schema', {}))}",
                links=(),
                required=parameter.get("required", False),
                note=parameter.get("description", ""),
            )
            for parameter in operation.get("parameters", [])
        ],
        body=_answer("", operation.get("requestBody", {})),
        answers=[_answer(status, answer) for status, answer in sorted(operation.get("responses", {}).items())],
        curl=_curl(server + path, method.upper(), body),
    )


def _answer(status: str, answer: dict[str, Any]) -> Answer:
    part = next(iter(answer.get("content", {}).values()), NOTHING).get("schema")
    return Answer(status, _kind(part), tuple(sorted(_named(part)))) if part else Answer(status, "", ())


def _curl(address: str, method: str, body: dict[str, Any]) -> str:
    parts = ["curl"] + ([] if method == "GET" else [f"-X {method}"]) + [f"'{address}'"]
    if body:
        text = json.dumps(_example(body), ensure_ascii=False).replace("'", "'\\''")
        parts += ["-H 'Content-Type: application/json'", f"-d '{text}'"]
    return " ".join(parts)


@cache
def _models() -> list[Model]:
    parts = schema().get("components", {}).get("schemas", {})
    return [
        Model(
            name=name,
            note=part.get("description", ""),
            fields=[
                Field(
                    name=field,
                    kind=_kind(each),
                    links=tuple(sorted(_named(each))),
                    required=field in part.get("required", []),
                    note=each.get("description", ""),
                )
                for field, each in part.get("properties", {}).items()
            ],
            kind="" if part.get("properties") else _kind(part),
        )
        for name, part in sorted(parts.items())
    ]


# Reading a JSON schema


def _target(part: dict[str, Any]) -> str:
    return str(part["$ref"]).rpartition("/")[2]


def _named(part: Any) -> set[str]:
    """Return the models that a schema names, at any depth."""
    if isinstance(part, dict):
        here = {_target(part)} if isinstance(part.get("$ref"), str) else set()
        return here.union(*(_named(value) for value in part.values()))
    return set().union(*(_named(value) for value in part)) if isinstance(part, list) else set()


def _kind(part: dict[str, Any]) -> str:
    """Return a schema's type in a few words."""
    if "$ref" in part:
        return _target(part)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in part:
            return " or ".join(dict.fromkeys(_kind(each) for each in part[choice]))
    if "enum" in part or "const" in part:
        return " or ".join(json.dumps(value) for value in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return f"list of {_kind(part.get('items', {}))}"
    if part.get("format") == "binary":
        return "bytes"
    return str(part.get("type", "any"))


def _example(part: dict[str, Any], depth: int = 0) -> Any:
    """Return a value of the schema that shows what has to be given."""
    if depth > DEEPEST:
        return {}
    if "$ref" in part:
        return _example(schema()["components"]["schemas"].get(_target(part), {}), depth)
    if "examples" in part:
        return part["examples"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in part:
            return _example(part[choice][0], depth)
    if "enum" in part or "const" in part or "default" in part:
        return part.get("enum", [part.get("const", part.get("default"))])[0]
    match part.get("type"):
        case "object":
            needed = part.get("required") or list(part.get("properties", {}))[:1]
            return {name: _example(part.get("properties", {}).get(name, {}), depth + 1) for name in needed}
        case "array":
            return [_example(part.get("items", {}), depth + 1)]
        case "integer" | "number":
            return part.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            return "my-name" if "pattern" in part else "text"
    return None
