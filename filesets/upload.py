"""The body of a request as a stream: never held in memory, and never taken for whole when it is not."""

from contextlib import suppress
from typing import Any

from django.http import HttpRequest

from assay.platform.errors import BadRequest, TooLarge

CHUNK = 256 * 1024
LONGEST_LENGTH = 18
"""Digits of a Content-Length."""


def drain(request: HttpRequest, most: int = 256 * CHUNK) -> None:
    """Read on what a refused client still sends: many look for the reply only when they have sent all."""
    with suppress(OSError):
        while most > 0 and (piece := _source(request).read(CHUNK)):
            most -= len(piece)


class Upload:
    """Reads like a file; raises ``BadRequest`` where the body ends before its announced length.

    One that comes in chunks announces none, and the server below does not tell an end from a break: it ends there.
    """

    def __init__(self, request: HttpRequest, *, limit: int | None = None) -> None:
        self.got = 0
        self.source = _source(request)
        self.announced = _length(request.META.get("CONTENT_LENGTH", "")) if self.source is request else None
        if limit is not None and (self.announced or 0) > limit:
            raise TooLarge(f"The file is larger than this server takes ({limit} bytes).")

    def read(self, size: int) -> bytes:
        try:
            piece: bytes = self.source.read(size)
        except OSError:
            raise BadRequest(f"The upload broke off after {self.got} bytes; nothing was stored.") from None
        self.got += len(piece)
        if not piece and self.announced is not None and self.got < self.announced:
            raise BadRequest(f"The upload ended after {self.got} of {self.announced} bytes; nothing was stored.")
        return piece

    def whole(self, limit: int) -> bytes:
        """Return the body, which has to fit in memory; raises ``TooLarge`` beyond ``limit`` bytes."""
        pieces = []
        while piece := self.read(CHUNK):
            pieces.append(piece)
            if self.got > limit:
                raise TooLarge(f"The request body is larger than this server takes ({limit} bytes).")
        return b"".join(pieces)


def _source(request: HttpRequest) -> Any:
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # Django reads nothing of a body without a length; the server below it knows where the body ends.
        return request.META["wsgi.input"]
    return request


def _length(header: str) -> int:
    if not header:
        return 0
    if not (header.isascii() and header.isdecimal() and len(header) <= LONGEST_LENGTH):
        raise BadRequest("The Content-Length header is not a number.")
    return int(header)
