"""Online runs: a target model produces the sample that the metrics then judge."""

from typing import Any

from assay_sdk.engine.caller import Caller
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.reasoning import split_thinking
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import Call, Failure, Row, ScoreState
from assay_sdk.engine.spec import Model, Reasoning, RunConfigOnlineModel
from assay_sdk.engine.template import Template, compile_template

MAX_TOKENS = 4096


def target_settings(model: Model, config: RunConfigOnlineModel) -> RequestSettings:
    """What every request to this target has in common."""
    wanted = config.structured_output
    return RequestSettings.of(
        model,
        max_tokens=MAX_TOKENS,
        system_prompt=config.system_prompt,
        inference=config.inference,
        reasoning=config.reasoning,
        schema=wanted.json_schema if wanted else None,
        structured_output=wanted,
    )


class Target:
    """The model under evaluation, ready to answer rows."""

    def __init__(self, prompt_template: str | dict[str, Any], caller: Caller, reasoning: Reasoning | None) -> None:
        self._render: Template = compile_template(prompt_template)
        self._caller = caller
        self._reasoning = reasoning

    async def sample(self, row: Row, calls: list[Call]) -> tuple[dict[str, Any], Failure | None]:
        """The sample of a row, and what kept the target from giving one, if anything did."""
        try:
            outcome = await self._caller.ask(self._render({**row.item, "item": row.item}))
        except TemplateFailure as error:
            hopeless = error.missing is not None
            outcome = Failure(ScoreState.TEMPLATE, f"Row {row.index}: {error}", hopeless, str(error.missing))
        if isinstance(outcome, Failure):
            return {"output_text": None, "response": {}, "inference_error": outcome.text}, outcome
        calls.append(outcome.call)
        response = outcome.call.response or {}
        thinking, text = split_thinking(outcome.text or "", self._reasoning)
        if thinking:
            response = _without_thinking(response, thinking, text)
        if not text:
            return {"response": response}, Failure(ScoreState.EMPTY, "The target's reply holds no text.")
        return {"output_text": text, "response": response}, None


def _without_thinking(response: dict[str, Any], thinking: str, text: str) -> dict[str, Any]:
    first, *rest = response["choices"]
    if isinstance(first.get("message"), dict):
        first = {**first, "message": {**first["message"], "content": text, "reasoning_content": thinking}}
    else:
        first = {**first, "text": text, "reasoning_content": thinking}
    return {**response, "choices": [first, *rest]}
