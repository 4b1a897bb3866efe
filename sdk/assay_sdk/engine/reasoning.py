"""Telling a model's answer from its thinking aloud."""

from assay_sdk.engine.spec import Reasoning

OPEN, CLOSE = "<think>", "</think>"


def split_thinking(text: str, reasoning: Reasoning | None) -> tuple[str, str]:
    """(thinking with its end token, answer). Without an agreed end token all of it is the answer."""
    token = reasoning.end_token if reasoning else None
    if not token or not reasoning:
        return "", text
    before, found, after = text.rpartition(token)
    if found:
        return before + found, after
    return (text, "") if reasoning.include_if_not_finished is False else ("", text)


def verdict(text: str, reasoning: Reasoning | None) -> str | None:
    """What a judge says in the end, unmarked `<think>` blocks left out too; None if it never got that far."""
    _, answer = split_thinking(text, reasoning)
    opened = answer.lstrip().startswith(OPEN)
    if opened or (CLOSE in answer and OPEN not in answer):  # some models' first token is in their chat template
        _, closed, answer = answer.rpartition(CLOSE)
        if not closed:
            return None
    return answer
