"""Online runs: a target model produces the sample that the metrics then judge."""

from typing import Any

from assay_sdk.engine.caller import Caller
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.names import AnswerSample
from assay_sdk.engine.reply import message_of, split_thinking, without_thinking
from assay_sdk.engine.request import RequestSettings
from assay_sdk.engine.result import Calls, Failure, Row, ScoreState
from assay_sdk.engine.spec import Model, Reasoning, RunConfigAsAsked, RunConfigOnlineModel
from assay_sdk.engine.template import compile_template

MAX_TOKENS = 4096

Sample = dict[str, Any]


def target_settings(model: Model, config: RunConfigOnlineModel) -> RequestSettings:
    """What every request to this target has in common."""
    wanted = config.structured_output
    return RequestSettings.of(
        model,
        max_tokens=None if isinstance(config, RunConfigAsAsked) else MAX_TOKENS,
        system_prompt=config.system_prompt,
        inference=config.inference,
        reasoning=config.reasoning,
        schema=wanted.json_schema if wanted else None,
        strict=bool(wanted and wanted.strict),
    )


class Target:
    """The model under evaluation, ready to answer rows."""

    def __init__(self, prompt_template: str | dict[str, Any], caller: Caller, reasoning: Reasoning | None) -> None:
        self._render = compile_template(prompt_template)
        self._caller = caller
        self._reasoning = reasoning

    async def sample(self, row: Row, calls: Calls) -> tuple[Sample, Failure | None]:
        """The sample of a row, and what kept the target from giving one, if anything did."""
        try:
            outcome = await self._caller.ask(self._render({**row.item, "item": row.item}), calls)
        except TemplateFailure as error:
            outcome = Failure.of_template(row, error)
        if isinstance(outcome, Failure):
            return {"output_text": None, "response": {}, "inference_error": outcome.text}, outcome
        response = outcome.response
        thinking, text = split_thinking(outcome.text or "", self._reasoning)
        if thinking:
            response = without_thinking(response, thinking, text)
        if not text and message_of(response).get("tool_calls"):
            return AnswerSample(
                response=response
            ), None  # calling a tool is an answer too; whoever needs a text will miss it
        if not text:
            return {"response": response}, Failure(ScoreState.EMPTY, "The target's reply holds no text.")
        return AnswerSample(output_text=text, response=response), None


def stored_sample(row: Row) -> Sample:
    """The sample of an offline row: the one it came with, or its text column `output`, if it has one."""
    if row.sample is not None:
        return row.sample
    output = row.item.get("output")
    return {"output_text": output} if isinstance(output, str) else {}
