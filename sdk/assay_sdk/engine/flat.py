"""Servers that take one text: a conversation written as such, and lists that a template gave as JSON text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

NEXT = "assistant:"
"""What the prompt ends on, so that the model goes on as the one who is asked."""


def prompt_of(messages: Sequence[Any]) -> str:
    """The messages as one prompt, a block `role: content` each. Raises TypeError for what is no message."""
    return "\n\n".join([*map(_block, messages), NEXT])


def as_list(value: Any) -> Any:
    """The list that a text says in JSON; whatever else it is stays as it is."""
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return read if isinstance(read, list) else value
    return value


def _block(message: Any) -> str:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise TypeError("each of 'messages' must be an object with a role")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return f"{message['role']}: {'' if content is None else content}"
