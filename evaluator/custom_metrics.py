"""The metrics of a ``custom`` task (microservices-v1 section 7), in the engine's words."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from assay.evaluator.custom_faults import Faults
from assay.evaluator.custom_models import FindModel, model_of
from assay.evaluator.custom_requests import inference_of, reasoning_of, template_of, text_of
from assay_sdk.engine.checks import DIFFERENCE, NUMBER_CHECKS, TEXT_CHECKS
from assay_sdk.engine.patterns import compile_pattern
from assay_sdk.engine.spec import parse_metric

Definition = dict[str, Any]
KINDS = {
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
}
"""Types of scores as v1 names them → as the engine does."""
SCORE_NAMES = {"em": "em", "exact-match": "em", "accuracy": "accuracy"}
"""What v1 calls the score of a type that the engine calls ``exact-match``."""
EPSILON = "epsilon"
_FLAGS = re.compile(r"(?:\(\?[aiLmsux]+\))*")


def metric_of(metric: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition | None:
    """Return the engine's definition of a metric, or None where there are faults, which are noted."""
    read = TYPES.get(metric["type"])
    if read is None:
        faults.add("type", msg=f"Unknown metric type; there are: {', '.join(TYPES)}.", kind="enum")
        return None
    before = len(faults.found)
    if metric.get("params") is None:
        faults.missing("params")
        return None
    with faults.at("params"):
        definition = read(metric["params"], faults, find)
        if len(faults.found) > before:
            return None
        # A failing row never ends a v1 job.
        definition |= {"ignore_request_failure": True}
        try:
            parse_metric(definition)
        except ValidationError as error:
            faults.of(error, **PLACES)
            return None
    return definition


PLACES = {
    "prompt_template": "template",
    "left_template": "check.0",
    "operation": "check.1",
    "right_template": "check.2",
    "epsilon": "check",
    "inference": "",
}
"""Fields of definitions that the engine may complain of, where v1 has them elsewhere."""


def score_name(kind: str, name: str) -> str:
    """Return what v1 calls the score ``name`` of a metric of type ``kind``."""
    return SCORE_NAMES.get(kind, name) if name == "exact-match" else name


# Judges


def _judge(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
    model = model_of(params, faults, find)
    template = template_of(params, faults, chat=False)
    if params.get("template") is None:
        faults.missing("template")
    scores = faults.object_at(params, "scores")
    if not scores:
        faults.missing("scores")
    definition: Definition = {
        "type": "llm-judge",
        "model": model,
        "prompt_template": template,
        "scores": [_score(name, scores, faults) for name in scores],
        # One call a row, whatever comes of it, and its score is what the parser finds (section 7.1).
        "retries_unscored": 0,
        "injection": "flag",
    }
    wanted = faults.object_at(params, "structured_output")
    if wanted:
        if not isinstance(wanted.get("schema"), dict):
            faults.add("structured_output", "schema", msg="Field required", kind="missing")
        definition["structured_output"] = {name: wanted[name] for name in ("schema", "strict") if name in wanted}
    return definition | {
        name: value
        for name, value in (
            ("inference", inference_of(params, {}, template, faults)),
            ("reasoning", reasoning_of(params, faults)),
        )
        if value
    }


def _score(name: str, scores: Mapping[str, Any], faults: Faults) -> Definition:
    with faults.at("scores"):
        given = faults.object_at(scores, name)
        with faults.at(name):
            definition: Definition = {"name": name, "parser": _parser(given, faults)}
            if given.get("rubric") is not None:
                return definition | {"rubric": given["rubric"]}
            kind = given.get("type")
            if str(kind) not in KINDS:
                faults.add("type", msg=f"Input should be one of {', '.join(KINDS)}", kind="enum")
            bounds = {bound: given[bound] for bound in ("minimum", "maximum") if given.get(bound) is not None}
            return definition | {"kind": KINDS.get(str(kind)), **bounds}


def _parser(given: Mapping[str, Any], faults: Faults) -> Definition:
    if given.get("parser") is None:
        faults.missing("parser")
        return {}
    parser = faults.object_at(given, "parser")
    with faults.at("parser"):
        match parser.get("type"):
            case "regex":
                method = parser.get("method") or "search"
                if method not in ("search", "match"):
                    faults.add("method", msg="Input should be search or match", kind="enum")
                return {"type": "regex", "pattern": _pattern(parser, faults), "method": method}
            case "json":
                if not isinstance(parser.get("json_path"), str):
                    faults.missing("json_path")
                return {"type": "json", "json_path": parser.get("json_path")}
        faults.add("type", msg="Input should be regex or json", kind="enum")
    return {}


def _pattern(parser: Mapping[str, Any], faults: Faults) -> str:
    """Return the pattern with a group to read: where the user made none, the whole match is the score."""
    pattern = parser.get("pattern")
    if not isinstance(pattern, str):
        faults.missing("pattern")
        return ""
    try:
        if compile_pattern(pattern).groups:
            return pattern
        flags = _FLAGS.match(pattern)
        begin = flags.end() if flags else 0
        whole = f"{pattern[:begin]}({pattern[begin:]})"
        compile_pattern(whole)
    except ValueError as error:
        faults.add("pattern", msg=f"The pattern does not compile: {error}")
        return pattern
    return whole


# Metrics that ask nobody


def _string_check(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
    check = _listed(params, faults)
    if len(check) != 3:
        faults.add("check", msg="A check is [left, operation, right].")
        return {}
    return {"type": "string-check"} | _sides(check, (0, 1, 2), TEXT_CHECKS, faults)


def _number_check(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
    check = _listed(params, faults)
    if len(check) not in {3, 5} or (len(check) == 5 and check[3] != EPSILON):
        forms = '[left, operation, right], or ["absolute difference", left, right, "epsilon", n]'
        faults.add("check", msg=f"A check is {forms}.")
        return {}
    places = (1, 0, 2) if check[0] == DIFFERENCE else (0, 1, 2)
    definition: Definition = {"type": "number-check"} | _sides(check, places, {*NUMBER_CHECKS, DIFFERENCE}, faults)
    if len(check) == 5:
        try:
            definition[EPSILON] = float(check[4])
        except (TypeError, ValueError):
            faults.add("check", 4, msg="Input should be a valid number", kind="float_parsing")
    elif definition["operation"] == DIFFERENCE:
        faults.add("check", msg=f"'{DIFFERENCE}' needs an epsilon: the largest difference that is still right.")
    return definition


def _sides(check: list[Any], places: tuple[int, int, int], operations: Any, faults: Faults) -> Definition:
    left, operation, right = places
    with faults.at("check"):
        if not isinstance(check[operation], str) or check[operation] not in operations:
            faults.add(operation, msg=f"Unknown operation; there are: {', '.join(operations)}.", kind="enum")
        return {
            "left_template": text_of(check, left, faults),
            "operation": check[operation],
            "right_template": text_of(check, right, faults),
        }


def _listed(params: Mapping[str, Any], faults: Faults) -> list[Any]:
    check = params.get("check")
    if isinstance(check, list):
        return check
    faults.missing("check")
    return []


def _bleu(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
    references = params.get("references")
    if isinstance(references, str):
        references = [references]
    if not isinstance(references, list) or not references:
        faults.missing("references")
        return {}
    with faults.at("references"):
        texts = [text_of(references, index, faults) for index in range(len(references))]
    return {"type": "bleu", "references": texts, **_candidate(params, faults)}


def _against_reference(kind: str, **also: Any) -> Callable[[Mapping[str, Any], Faults, FindModel], Definition]:
    def read(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
        name = next((each for each in ("ground_truth", "reference") if params.get(each) is not None), None)
        references = params.get("references")
        if name is not None:
            reference = text_of(params, name, faults)
        elif isinstance(references, list) and references:
            with faults.at("references"):
                reference = text_of(references, 0, faults)
        else:
            faults.missing("ground_truth")
            return {}
        return {"type": kind, "reference": reference, **_candidate(params, faults), **also}

    return read


def _candidate(params: Mapping[str, Any], faults: Faults) -> Definition:
    name = next((each for each in ("prediction", "candidate") if params.get(each) is not None), None)
    return {} if name is None else {"candidate": text_of(params, name, faults)}


def _tool_calling(params: Mapping[str, Any], faults: Faults, find: FindModel) -> Definition:
    wanted = params.get("tool_calls_ground_truth")
    if isinstance(wanted, list):
        wanted = json.dumps(wanted)
    if not isinstance(wanted, str):
        faults.missing("tool_calls_ground_truth")
    return {"type": "tool-calling", "reference": wanted, "lenient": True}


TYPES: dict[str, Callable[[Mapping[str, Any], Faults, FindModel], Definition]] = {
    "llm-judge": _judge,
    "string-check": _string_check,
    "number-check": _number_check,
    "bleu": _bleu,
    "rouge": _against_reference("rouge"),
    "f1": _against_reference("f1"),
    "em": _against_reference("exact-match"),
    "exact-match": _against_reference("exact-match"),
    "accuracy": _against_reference("exact-match", as_written=True),
    "tool-calling": _tool_calling,
}
