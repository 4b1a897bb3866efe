"""From a rendered template to the body of a model call: small pure steps, none of which changes what it is given."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay_sdk.engine.flat import as_list, prompt_of
from assay_sdk.engine.forms import TOOL_NAME, Dialect, Form, instruction
from assay_sdk.engine.model import InferenceParams, Model, Reasoning

Request = dict[str, Any]

# Parameters for the client, not for the server; and streaming, which the engine does not read.
_NOT_SENT = frozenset({"extra_body", "extra_headers", "extra_query", "timeout", "stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """Everything that is the same for each request to one model."""

    max_tokens: int | None
    system_prompt: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    strict: bool = False
    wants_chat: bool = False  # the address names the chat path outright
    wants_prompt: bool = False  # the model takes no messages

    @classmethod
    def of(
        cls,
        model: Model,
        *,
        max_tokens: int | None,
        system_prompt: str | None,
        inference: InferenceParams | None,
        reasoning: Reasoning | None,
        schema: Mapping[str, Any] | None,
        strict: bool,
    ) -> "RequestSettings":
        params: dict[str, Any] = {}
        for source in (model.inference, inference):
            given = source.model_dump(exclude_none=True) if source else {}
            extra = given.get("extra_body")
            params = merged(params, {key: value for key, value in given.items() if key not in _NOT_SENT})
            params = merged(params, extra if isinstance(extra, dict) else {})
        if reasoning and reasoning.effort:
            params.setdefault("reasoning_effort", reasoning.effort)
        return cls(
            max_tokens=max_tokens,
            system_prompt=system_prompt,
            params=params,
            schema=schema,
            strict=strict,
            wants_chat=model.url.partition("?")[0].rstrip("/").endswith("/chat/completions"),
            wants_prompt=model.takes_prompts_only,
        )


def assemble(rendered: Any, settings: RequestSettings) -> Request:
    """The request as its author means it, without structured output. Raises TypeError for what cannot be a request."""
    request = _as_request(rendered, settings)
    if "messages" in request:
        request["messages"] = _as_messages(as_list(request["messages"]))
    if "tools" in request:
        request["tools"] = as_list(request["tools"])
    if settings.system_prompt:
        request = with_system_text(request, settings.system_prompt)
    request = merged(request, settings.params)
    if "max_completion_tokens" in settings.params:
        request.pop("max_tokens", None)
    elif settings.max_tokens is not None and "max_completion_tokens" not in request:
        request.setdefault("max_tokens", settings.max_tokens)
    return _flattened(request) if settings.wants_prompt and "messages" in request else request


def _flattened(request: Request) -> Request:
    return {"prompt": prompt_of(request["messages"]), **{k: v for k, v in request.items() if k != "messages"}}


def spoken(
    request: Request, settings: RequestSettings, dialect: Dialect, model: str, form: Form | None = None
) -> Request:
    """The same request in the dialect of the model's server, ready to be sent. `form` is that of the schema."""
    body = {"model": model, **{key: value for key, value in request.items() if key not in ("model", "stream")}}
    if settings.schema is not None:
        body = _with_schema(body, settings.schema, settings.strict, form or dialect.form_for(body))
    if dialect.token_limit != "max_tokens" and "max_tokens" in body:
        body[dialect.token_limit] = body.pop("max_tokens")
    return body


def _with_schema(body: Request, schema: Mapping[str, Any], strict: bool, form: Form) -> Request:
    match form:
        case Form.JSON_SCHEMA:
            wanted = {"name": "structured_output", "schema": schema, "strict": strict}
            return merged(body, {"response_format": {"type": "json_schema", "json_schema": wanted}})
        case Form.GUIDED_JSON:
            return merged(body, {"guided_json": schema})
        case Form.NVEXT:
            return merged(body, {"nvext": {"guided_json": schema}})
        case Form.TOOL:
            function = {"name": TOOL_NAME, "description": "Gives the answer.", "parameters": schema}
            chosen = {"type": "function", "function": {"name": TOOL_NAME}}
            return {**body, "tools": [{"type": "function", "function": function}], "tool_choice": chosen}
        case Form.JSON_OBJECT:
            told = with_system_text(body, instruction(schema))
            return {**told, "response_format": {"type": "json_object"}}
        case Form.PROMPT:
            return with_system_text(body, instruction(schema))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A new dict with `over` laid over `base`, dicts within dicts likewise."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def with_system_text(request: Request, text: str) -> Request:
    """The request with `text` at the very front: in its system message, in a new one, or before its prompt."""
    if "messages" not in request:
        return {**request, "prompt": _before(text, request.get("prompt", ""))}
    first, *rest = request["messages"] or [{}]
    if isinstance(first, dict) and first.get("role") == "system":
        messages = [{**first, "content": _before(text, first.get("content"))}, *rest]
    else:
        messages = [{"role": "system", "content": text}, *request["messages"]]
    return {**request, "messages": messages}


def _before(text: str, content: Any) -> Any:
    if isinstance(content, list):
        return [{"type": "text", "text": text}, *content]
    return f"{text} {content}" if content else text


def _as_request(rendered: Any, settings: RequestSettings) -> Request:
    if isinstance(rendered, dict):
        return dict(rendered)
    if isinstance(rendered, list):
        raise TypeError("the template gives a list; a request is text, or an object with messages or a prompt")
    text = as_text(rendered)
    return {"messages": [{"role": "user", "content": text}]} if settings.wants_chat else {"prompt": text}


def _as_messages(messages: Any) -> list[Any]:
    if not isinstance(messages, list):
        raise TypeError(f"'messages' must be a list, not {type(messages).__name__}")
    return [
        {**message, "content": _as_content(message["content"])}
        if isinstance(message, dict) and message.get("role") and "content" in message
        else message
        for message in messages
    ]


def _as_content(content: Any) -> Any:
    """Servers take text or a list of typed parts; a lone `{{item.n}}` that gives 3 means the text "3"."""
    is_parts = isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content)
    return content if is_parts and content else as_text(content)


def as_text(value: Any) -> str:
    """A value as a prompt shows it: text as it is, objects and lists as JSON, the rest as a template prints it."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
