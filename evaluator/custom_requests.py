"""Templates and request parameters of v1 bodies (microservices-v1 sections 5.4 and 6.1), in the engine's words."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from assay.evaluator.custom_faults import Faults
from assay.platform.v1 import KEYS
from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.spec import InferenceParams, Reasoning
from assay_sdk.engine.template import compile_template

INFERENCE = (
    "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "presence_penalty",
    "frequency_penalty", "n", "logit_bias", "top_k", "extra_body",
)  # fmt: skip
"""Parameters that may stand beside a template; what else is to be sent stands in it, or in ``extra``."""
NOT_SENT = frozenset({"stream", "stream_options", "model"}) | KEYS


def template_of(params: Mapping[str, Any], faults: Faults, *, chat: bool) -> Any:
    """Return ``params.template`` as the engine takes it, None where it is absent or of no use; faults are noted.

    With ``chat`` a bare text is what the user says.
    """
    template = params.get("template")
    if template is None:
        return None
    if not isinstance(template, str | dict):
        faults.add("template", msg="Input should be a text, or an object with messages or a prompt")
        return None
    if isinstance(template, dict) and not {"messages", "prompt"} & template.keys():
        faults.add("template", msg="A request template needs messages or a prompt.", kind="missing")
        return None
    before = len(faults.found)
    with faults.at("template"):
        _check_strings(template, faults)
    if len(faults.found) > before:
        return None
    if isinstance(template, dict):
        body = template.get("extra_body")
        sent = {name: value for name, value in template.items() if name not in NOT_SENT}
        if isinstance(body, dict):
            del sent["extra_body"]
            sent |= body
        return kept(sent)
    return {"messages": [{"role": "user", "content": kept(template)}]} if chat else kept(template)


def inference_of(
    over: Mapping[str, Any], below: Mapping[str, Any], template: Any, faults: Faults
) -> dict[str, Any] | None:
    """Return the request parameters beside a template, those in ``over`` before those in ``below``.

    What the template says itself is left out of them: it comes first. Faults are noted at the place of ``over``.
    """
    found: dict[str, Any] = {}
    for source in (below, over):
        found |= {name: source[name] for name in INFERENCE if source.get(name) is not None}
        found |= source["extra"] if isinstance(source.get("extra"), dict) else {}
    said = template.keys() if isinstance(template, dict) else ()
    found = {name: value for name, value in found.items() if name not in NOT_SENT and name not in said}
    if {"max_tokens", "max_completion_tokens"} & set(said):
        found = {name: value for name, value in found.items() if name not in {"max_tokens", "max_completion_tokens"}}
    if isinstance(found.get("stop"), str):
        found["stop"] = [found["stop"]]
    try:
        InferenceParams.model_validate(found)
    except ValidationError as error:
        faults.of(error)
        return None
    return found or None


def reasoning_of(params: Mapping[str, Any], faults: Faults) -> dict[str, Any] | None:
    """Return how the model marks its thinking; what it does not finish is no answer, unless the body says it is."""
    given = faults.object_at(params, "reasoning")
    if not given:
        return None
    reasoning = {name: given[name] for name in Reasoning.model_fields if given.get(name) is not None}
    reasoning.setdefault("include_if_not_finished", False)
    try:
        Reasoning.model_validate(reasoning)
    except ValidationError as error:
        with faults.at("reasoning"):
            faults.of(error)
    return reasoning


def kept(template: Any) -> Any:
    """Return the template so that the engine renders a last newline of it, too: the engine drops one, v1 none."""
    if isinstance(template, str):
        return template + "\n" if template.endswith("\n") else template
    if isinstance(template, dict):
        return {name: kept(value) for name, value in template.items()}
    return [kept(value) for value in template] if isinstance(template, list) else template


def text_of(holder: Mapping[str, Any] | list[Any], name: str | int, faults: Faults) -> str:
    """Return the template at ``name`` as one that gives text, as v1 has it also for a lone expression."""
    value = holder[name]  # type: ignore[index]
    if isinstance(value, bool | int | float):
        value = json.dumps(value)
    if not isinstance(value, str):
        faults.add(name, msg="Input should be a valid string", kind="string_type")
        return ""
    with faults.at(name):
        _check_strings(value, faults)
    text = value.strip()
    lone = text.startswith("{{") and text.endswith("}}") and text.count("{{") == text.count("}}") == 1
    # A second expression, which gives nothing, makes the engine join texts and not pass on a number as such.
    return f"{value}{{{{ '' }}}}" if lone and "tojson" not in value else str(kept(value))


def _check_strings(template: Any, faults: Faults) -> None:
    if isinstance(template, str):
        try:
            compile_template(template)
        except TemplateFailure as error:
            faults.add(msg=str(error))
    elif isinstance(template, dict | list):
        for step, value in template.items() if isinstance(template, dict) else enumerate(template):
            with faults.at(step):
                _check_strings(value, faults)
