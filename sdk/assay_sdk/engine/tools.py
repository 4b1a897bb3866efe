"""Whether a model called the tools it should have: `tool-calling`."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from assay_sdk.engine.errors import TemplateFailure
from assay_sdk.engine.flat import as_list
from assay_sdk.engine.measured import Measuring, TemplateText, scored, unread
from assay_sdk.engine.metric import Metric
from assay_sdk.engine.reply import first_choice, message_of
from assay_sdk.engine.result import Score
from assay_sdk.engine.scores import RubricScore
from assay_sdk.engine.template import Context, compile_template

if TYPE_CHECKING:
    from assay_sdk.engine.run import Lines
    from assay_sdk.engine.scoring import Scorer

NAMES = "function_name_accuracy"
ARGUMENTS = "function_name_and_args_accuracy"

MOST_CALLS = 1_000

ToolCall = tuple[str, Any]
"""A function's name and its arguments."""


class ToolCallingMetric(Metric):
    """1 if exactly the wanted functions were called, each as often as wanted, in any order; else 0. A second score asks
    for the wanted arguments as well."""

    type: Literal["tool-calling"] = "tool-calling"
    reference: TemplateText
    lenient: bool = False
    """Whether a dot in a function's name counts as an underscore, since servers refuse dots, and the reference may be
    a list as JSON text, as a CSV file holds it."""

    def scales(self) -> dict[str, RubricScore | None]:
        return dict.fromkeys((NAMES, ARGUMENTS))

    def scorer(self, lines: "Lines", *, online: bool) -> "Scorer":
        reference = compile_template(self.reference)

        def measure(context: Context) -> list[Score]:
            listed = reference(context)
            wanted, made = _wanted(as_list(listed) if self.lenient else listed), _made(context)
            if max(len(wanted), len(made)) > MOST_CALLS:
                raise TemplateFailure(f"There are more than {MOST_CALLS:,} tool calls to compare")
            if self.lenient:
                wanted, made = _undotted(wanted), _undotted(made)
            names = float(Counter(name for name, _ in wanted) == Counter(name for name, _ in made))
            try:
                equal = same_calls(*([(name, _arguments(given)) for name, given in calls] for calls in (wanted, made)))
            except (ValueError, RecursionError):
                return [scored(NAMES, names), unread(ARGUMENTS, "the arguments of a call are no JSON")]
            return [scored(NAMES, names), scored(ARGUMENTS, float(equal))]

        return Measuring([NAMES, ARGUMENTS], measure)


def _undotted(calls: list[ToolCall]) -> list[ToolCall]:
    return [(name.replace(".", "_"), given) for name, given in calls]


def same_calls(wanted: list[ToolCall], made: list[ToolCall]) -> bool:
    """Whether both lists hold the same calls, each as often, whatever their order."""
    if len(wanted) != len(made):
        return False
    left = list(made)
    for call in wanted:
        if call not in left:
            return False
        left.remove(call)
    return True


def _wanted(reference: Any) -> list[ToolCall]:
    if not isinstance(reference, list):
        raise TemplateFailure(f"The reference must give a list of tool calls, not {_kind_of(reference)}")
    calls = []
    for entry in reference:
        function = entry.get("function") if isinstance(entry, Mapping) else None
        if (
            not isinstance(function, Mapping)
            or not isinstance(function.get("name"), str)
            or "arguments" not in function
        ):
            raise TemplateFailure("Each call of the reference must be {'function': {'name': …, 'arguments': …}}")
        calls.append((function["name"], function["arguments"]))
    return calls


def _made(context: Context) -> list[ToolCall]:
    response = context["sample"].get("response") or context["item"].get("response")
    if response is None:
        raise TemplateFailure("There is no model response to look for tool calls in", missing="response")
    if not isinstance(response, Mapping) or not first_choice(response):
        raise TemplateFailure("The response is no chat completion: it must be an object with 'choices'")
    calls = message_of(response).get("tool_calls") or []
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    named = [each for each in functions if isinstance(each, Mapping) and isinstance(each.get("name"), str)]
    return [(each["name"], each.get("arguments")) for each in named if each["name"]]


def _arguments(given: Any) -> Any:
    """Arguments as data. On the wire they are JSON text; some servers, and most people, write an object."""
    if isinstance(given, str):
        given = json.loads(given)
    return {} if given is None else given


def _kind_of(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
