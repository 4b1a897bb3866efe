"""Rows that hold what a model answered before: the sample of each is looked for where people keep it."""

from collections.abc import Mapping
from typing import Any

from assay_sdk.engine.names import AnswerSample
from assay_sdk.engine.reply import text_of

TEXTS = ("output_text", "output", "prediction")


def cached_sample(item: Mapping[str, Any]) -> AnswerSample:
    """The sample in a row: of its `response` (a text, or a completion), else of the first text column in `TEXTS`."""
    response = item.get("response")
    if isinstance(response, Mapping):
        text = text_of(response)
        return AnswerSample(response=response) if text is None else AnswerSample(output_text=text, response=response)
    texts = [response, *(item.get(name) for name in TEXTS)]
    found = next((text for text in texts if isinstance(text, str)), None)
    return AnswerSample() if found is None else AnswerSample(output_text=found, response={})
