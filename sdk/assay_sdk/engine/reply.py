"""Reading a model's reply: its text, and the answer apart from the thinking aloud."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from assay_sdk.engine.model import Reasoning
from assay_sdk.engine.sound import DEEPEST, sound

OPEN, CLOSE = "<think>", "</think>"


def decoded(body: bytes) -> dict[str, Any] | None:
    """The reply as an object, or None if it is none."""
    try:
        value = any_json(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def any_json(body: bytes) -> Any:
    """The JSON in a reply, so that it can be stored. Raises ValueError and RecursionError for what is none."""
    try:
        value = orjson.loads(body)
    except ValueError:
        value = json.loads(body, parse_int=_whole)  # NaN among log probabilities, for one, or half a character
    else:
        if body.count(b"[") + body.count(b"{") <= DEEPEST:
            return value
    return sound(value)


def _whole(digits: str) -> int | float:
    """A whole number as orjson has it: what has more than 64 bits is a float."""
    return int(digits) if len(digits) < 19 else float(digits)


def first_choice(response: Mapping[str, Any]) -> dict[str, Any]:
    """The first choice of a completion, {} if there is none."""
    choices = response.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def message_of(response: Mapping[str, Any]) -> dict[str, Any]:
    """The message of a chat completion, {} if there is none."""
    message = first_choice(response).get("message")
    return message if isinstance(message, dict) else {}


def text_of(response: Mapping[str, Any]) -> str | None:
    """What a chat or plain completion says; None if it holds no text."""
    content = message_of(response).get("content", first_choice(response).get("text"))
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def arguments_of(response: Mapping[str, Any]) -> str | None:
    """The arguments of a completion's tool calls, a line each; None if there are none."""
    calls = message_of(response).get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    given = [function.get("arguments") for function in functions if isinstance(function, dict)]
    texts = [text if isinstance(text, str) else json.dumps(text) for text in given if text]
    return "\n".join(texts) or None


def finish_reason_of(response: Mapping[str, Any]) -> str | None:
    """Why a completion ended where it did ("stop", "length"…)."""
    reason = first_choice(response).get("finish_reason")
    return reason if isinstance(reason, str) else None


def split_thinking(text: str, reasoning: Reasoning | None) -> tuple[str, str]:
    """(thinking with its end token, answer). Without an agreed end token all of it is the answer."""
    if reasoning is None or not reasoning.end_token:
        return "", text
    before, found, after = text.rpartition(reasoning.end_token)
    if found:
        return before + found, after
    return (text, "") if reasoning.include_if_not_finished is False else ("", text)


def verdict_in(text: str, reasoning: Reasoning | None) -> str | None:
    """What a judge says in the end, unmarked `<think>` blocks left out too; None if it never got that far."""
    _, answer = split_thinking(text, reasoning)
    opened = answer.lstrip().startswith(OPEN)
    if opened or (CLOSE in answer and OPEN not in answer):  # some chat templates open the block for the model
        _, closed, answer = answer.rpartition(CLOSE)
        if not closed:
            return None
    return answer


def without_thinking(response: dict[str, Any], thinking: str, text: str) -> dict[str, Any]:
    """The completion with its thinking moved out of its text."""
    choice = first_choice(response)
    if message := message_of(response):
        choice = {**choice, "message": {**message, "content": text, "reasoning_content": thinking}}
    else:
        choice = {**choice, "text": text, "reasoning_content": thinking}
    return {**response, "choices": [choice, *response["choices"][1:]]}
