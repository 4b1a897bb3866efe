"""The judge's prompt when its author wrote none: the scores as a system message, the row as the user's."""

from collections.abc import Sequence
from typing import Any

from assay_sdk.engine.fence import CONTEXT_KEY
from assay_sdk.engine.request import as_text
from assay_sdk.engine.scores import JudgeScore, RangeScore, RubricScore
from assay_sdk.engine.template import Context, Template

INTRO = "You are a careful, impartial judge. Judge what you are shown, and nothing else, by these scores:"


def default_prompt(scores: Sequence[JudgeScore], *, online: bool, chat: bool) -> Template:
    """The request for a row; online, the judge is shown the row and the answer to be judged."""
    names = ", ".join(score.name for score in scores)
    heading = "Scores:" if len(scores) > 1 else ""
    system = "\n".join([f"{INTRO} {names}", heading, *(_described(score) for score in scores)])

    def render(context: Context) -> dict[str, Any]:
        shown = as_text(context["item"])
        if online:
            shown = f"Row:\n{shown}\n\nAnswer to judge:\n{context['sample'].get('output_text')}"
        if fence := context.get(CONTEXT_KEY):
            shown = fence.around(shown)
        if not chat:
            return {"prompt": f"{system}\n\n{shown}"}
        return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": shown}]}

    return render


def _described(score: JudgeScore) -> str:
    bounds = f" with a score range from {score.minimum} to {score.maximum}" if isinstance(score, RangeScore) else ""
    lines = [score.name + bounds + _after_colon(score.description)]
    if isinstance(score, RubricScore):
        lines += [f"* {item.label}{_after_colon(item.description)}" for item in score.rubric]
    return "\n".join(lines)


def _after_colon(description: str | None) -> str:
    return f": {description}" if description else ""
