"""The encoding of replies; a module of its own, since DRF looks it up while its views module loads."""

from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None and renderer_context["response"].status_code == 204 else orjson.dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Answers in JSON whatever is accepted: who fetches a file accepts bytes only, and a refusal is still JSON."""

    def select_parser(self, request: Request, parsers: Any) -> None:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type
