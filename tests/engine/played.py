"""A model's server that plays recorded replies, one row at a time, and keeps the requests it was sent."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from assay_sdk.engine.pace import Retry
from assay_sdk.engine.transport import HTTPReply

NO_WAITING = Retry(patience=1, base=0.0, longest_asked=0.0, away=0.0)

# What a server says that does not know a form of structured output, and the key by which each form is recognised.
FORMS = {
    "response_format": ("response_format", lambda body: "response_format" in body),
    "guided_json": ("guided_json", lambda body: "guided_json" in body),
    "nvext": ("nvext.guided_json", lambda body: "guided_json" in body.get("nvext", {})),
    "tools": ("tools", lambda body: "tools" in body),
}


class Played:
    """A Transport. Several models share it; `replies` maps each host to its replies in the order of the calls.

    Refusals of a form that the server does not honour are its own doing: they use up no reply and are not among the
    `requests`, but counted in `refused`.
    """

    def __init__(self, replies: Mapping[str, list[Any]], honours: str | None = None) -> None:
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.refused = 0
        self._honours = honours
        self._replies = {
            host: [e for r in played for e in (r if isinstance(r, list) else [r])] for host, played in replies.items()
        }

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float) -> HTTPReply:
        request = json.loads(body)
        for form, (name, used) in FORMS.items():
            if used(request) and form != self._honours:
                self.refused += 1
                return _reply(400, {"error": {"message": f"Unknown parameter: '{name}'."}})
        parts = urlsplit(url)
        host = str(parts.hostname)
        self.requests.append((host, parts.path, request))
        return _as_http(self._replies[host].pop(0), chat="messages" in request)


def _as_http(played: Any, *, chat: bool) -> HTTPReply:
    if isinstance(played, dict) and "status" in played:
        return _reply(played["status"], played.get("body", {"error": {"message": "no"}}), played.get("headers", {}))
    if isinstance(played, dict) and "raw" in played:
        return _reply(200, played["raw"])
    if isinstance(played, dict):
        choice = {"index": 0, "finish_reason": "stop", **played}
    elif chat:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": played}}
    else:
        choice = {"index": 0, "finish_reason": "stop", "text": played}
    return _reply(200, {"id": "c", "object": "chat.completion", "choices": [choice]})


def _reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> HTTPReply:
    return HTTPReply(status, {"content-type": "application/json", **(headers or {})}, json.dumps(body).encode())
