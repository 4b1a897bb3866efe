"""The calls about a row as its page shows them: what was asked, what came back, and what is read from that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assay.jobs.ledger import tokens_of
from assay.jobs.stored import TARGET
from assay.ui.job_scores import judges_in, reads
from assay.ui.row_text import as_json, cut, reply_text
from assay_sdk.engine.parse import read_scores, reader_of
from assay_sdk.engine.reply import finish_reason_of, message_of, verdict_in
from assay_sdk.engine.request import as_text
from assay_sdk.engine.result import Score
from assay_sdk.engine.spec import JSONScoreParser, LLMJudgeMetric, Metric


@dataclass(frozen=True)
class Bubble:
    role: str
    text: str


@dataclass(frozen=True)
class Reading:
    """A score as it stands in one reply."""

    score: Score
    how: str


@dataclass(frozen=True)
class CallShown:
    asker: str
    """The metric that asked, or the model that answers; empty where that cannot be told."""
    model: str
    asked: list[Bubble]
    reply: str
    thinking: str
    ended: str
    """Why the reply ended, where it did not end by itself."""
    tokens: tuple[int, int] | None
    settings: dict[str, Any]
    """What else the request says."""
    request: str
    response: str
    """Both as JSON."""
    readings: list[Reading] = field(default_factory=list)
    same: int | None = None
    """The number of the first call that asked the same."""


def calls_of(row: Mapping[str, Any], metrics: Mapping[str, Metric]) -> list[CallShown]:
    """Return a whole row's calls, in the order in which they ended."""
    askers = {place: key for key, place in (row.get("calls") or {}).items() if isinstance(place, int)}
    answered = [
        _call(call["request"], call.get("response"), askers.get(place), metrics)
        for place, call in enumerate(row.get("requests") or [])
    ]
    failed = {key: call["request"] for key, call in (row.get("calls") or {}).items() if isinstance(call, dict)}
    calls = answered + [_call(request, None, key, metrics) for key, request in failed.items()]
    asked = [call.asked for call in calls]
    firsts = [asked.index(each) for each in asked]
    return [
        replace(call, same=first + 1) if first < place and call.asked else call
        for place, (call, first) in enumerate(zip(calls, firsts, strict=True))
    ]


def _call(request: Any, response: Any, asker: str | None, metrics: Mapping[str, Metric]) -> CallShown:
    body = request if isinstance(request, dict) else {}
    reply = response if isinstance(response, dict) else {}
    model = str(body.get("model") or reply.get("model") or "")
    key, judge = _judge(model, asker, metrics)
    message = message_of(reply)
    thinking = message.get("reasoning_content") or message.get("reasoning")
    ended = finish_reason_of(reply)
    return CallShown(
        asker="the model that answers" if asker == TARGET else key,
        model=model,
        asked=_bubbles(body),
        reply=cut(reply_text(response)),
        thinking=cut(thinking) if isinstance(thinking, str) else "",
        ended="" if ended in {None, "stop"} else str(ended),
        tokens=tokens_of(reply),
        settings={name: value for name, value in body.items() if name not in {"messages", "prompt", "model"}},
        request=as_json(request),
        response="" if response is None else as_json(response),
        readings=_readings(judge, reply_text(response)) if judge and response is not None else [],
    )


def _judge(model: str, asker: str | None, metrics: Mapping[str, Metric]) -> tuple[str, LLMJudgeMetric | None]:
    """Return the metric that asked, as far as can be told, and the judge of it that was asked."""
    judges = [(key, judge) for key, metric in metrics.items() for judge in judges_in(metric) if asker in {None, key}]
    named = [(key, judge) for key, judge in judges if model in {judge.model.name, judge.model.served_model_name}]
    found = named or judges
    keys = {key for key, _ in found}
    if len(keys) != 1:
        return asker or "", None
    alike = len({judge.model_dump_json(include={"scores", "reasoning"}) for _, judge in found}) == 1
    return keys.pop(), found[0][1] if alike else None


def _bubbles(body: Mapping[str, Any]) -> list[Bubble]:
    """Return what was said to a model, message by message."""
    messages = body.get("messages")
    if isinstance(messages, list):
        return [_bubble(message) for message in messages]
    return [Bubble("prompt", cut(_said(body["prompt"])))] if "prompt" in body else []


def _bubble(message: Any) -> Bubble:
    if not isinstance(message, dict):
        return Bubble("message", cut(_said(message)))
    texts = [_said(message["content"])] if message.get("content") is not None else []
    texts += [_said(message["tool_calls"])] if message.get("tool_calls") else []
    return Bubble(str(message.get("role") or "message"), cut("\n".join(texts)))


def _said(content: Any) -> str:
    """Return a message's content as text: of parts those that are text, the others as JSON."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return as_text(content)
    return "\n".join(_part(part) for part in content)


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else as_text(part)


def _readings(judge: LLMJudgeMetric, text: str) -> list[Reading]:
    """Return the scores that a reply holds on its own; patterns, which may take long, are not looked for again."""
    verdict = verdict_in(text, judge.reasoning) or ""
    plain = [score for score in judge.scores if isinstance(score.parser, JSONScoreParser)]
    found: Sequence[Score] = read_scores([reader_of(score) for score in plain], verdict) if verdict.strip() else []
    return [Reading(read, reads(score)) for score, read in zip(plain, found, strict=False)]
