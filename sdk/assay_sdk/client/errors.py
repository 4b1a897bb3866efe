"""Everything that the client raises, one tree.

    AssayError
    ├── APIStatusError                 the server replied, and the reply is a refusal
    │   ├── BadRequestError            400
    │   ├── AuthenticationError        401
    │   ├── PermissionDeniedError      403
    │   ├── NotFoundError              404
    │   ├── ConflictError              409  (never repeated: it would be a conflict again)
    │   ├── UnprocessableEntityError   422
    │   ├── RateLimitError             429
    │   └── ServerError                500 and above
    ├── APIConnectionError             no usable reply: refused, broken off, not HTTP (also a builtin ConnectionError)
    │   └── APITimeoutError            nothing came in time (also a builtin TimeoutError)
    ├── JobFailed                      the job ended without a result
    │   └── JobCancelled               because somebody cancelled it
    ├── JobTimeout                     the job was not done in the time given; it goes on (also a builtin TimeoutError)
    └── UnsafeArchive                  an artifacts archive that would write outside the folder it is unpacked to

Messages are the server's own words, one line a mistake. What was sent is never repeated: it may hold a secret.
"""

from collections.abc import Sequence
from typing import Any

import orjson


class AssayError(Exception):
    """The base of every error of this client."""


class APIStatusError(AssayError):
    """The server refused the request."""

    def __init__(self, status: int, request: str, detail: Any = None) -> None:
        self.status = status
        """The HTTP status."""
        self.request = request
        """What was asked: method and path."""
        self.detail = without_input(detail)
        """The server's explanation: a sentence, or one entry a mistake; what was sent is left out."""
        lines = readable(self.detail) or ["the server gave no explanation"]
        text = lines[0] if len(lines) == 1 else "\n" + "\n".join(f"  - {line}" for line in lines)
        super().__init__(f"{status} on {request}: {text}")


class BadRequestError(APIStatusError):
    """400: the request makes no sense to the server."""


class AuthenticationError(APIStatusError):
    """401: the server does not know who is calling."""


class PermissionDeniedError(APIStatusError):
    """403: the caller may not do this."""


class NotFoundError(APIStatusError):
    """404: there is nothing of that name."""


class ConflictError(APIStatusError):
    """409: the name is taken, or something still refers to what was to be deleted."""


class UnprocessableEntityError(APIStatusError):
    """422: a field of the request is missing or wrong."""


class RateLimitError(APIStatusError):
    """429: too many requests, also after waiting."""


class ServerError(APIStatusError):
    """500 and above: the server, or a proxy before it, failed."""


class APIConnectionError(AssayError, ConnectionError):
    """No usable reply came."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """Nothing came in time."""


class JobFailed(AssayError):
    """The job ended without a result."""

    def __init__(self, job: str, status: str, reason: str) -> None:
        self.job = job
        """``workspace/name``."""
        self.status = status
        """The state it ended in."""
        self.reason = reason
        """The server's explanation."""
        super().__init__(f"job {job} ended as '{status}': {reason}")


class JobCancelled(JobFailed):
    """Somebody cancelled the job."""


class JobTimeout(AssayError, TimeoutError):
    """The job was not done in the time given. It goes on; wait again, or cancel it."""


class UnsafeArchive(AssayError):
    """The archive holds a member that would be written outside the folder."""


KINDS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def refusal(status: int, request: str, body: bytes) -> APIStatusError:
    """Return the error for a reply of ``status``; ``body`` may be anything, also a proxy's HTML page."""
    kind = KINDS.get(status, ServerError if status >= 500 else APIStatusError)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body[:2000].decode("utf-8", "replace").strip()
        return kind(status, request, "the reply is a web page, not the platform's" if text.startswith("<") else text)
    return kind(status, request, content.get("detail", content) if isinstance(content, dict) else content)


def without_input(detail: Any) -> Any:
    """Return ``detail`` without the values that were sent, which FastAPI-like servers repeat in every entry."""
    if isinstance(detail, str) and detail[:1] in "[{":
        # Some servers put the list into a string.
        try:
            detail = orjson.loads(detail)
        except orjson.JSONDecodeError:
            return detail
    if isinstance(detail, list):
        return [without_input(entry) for entry in detail]
    if isinstance(detail, dict):
        return {key: value for key, value in detail.items() if key != "input"}
    return detail


def readable(detail: Any) -> list[str]:
    """Return the server's explanation as lines for people, equal ones once."""
    if isinstance(detail, str):
        return [detail] if detail else []
    if isinstance(detail, list):
        return list(dict.fromkeys(line for entry in detail for line in readable(entry)))
    if isinstance(detail, dict):
        message = detail.get("msg") or detail.get("message") or detail.get("detail")
        if message is None:
            return [orjson.dumps(detail).decode()] if detail else []
        place = where(detail.get("loc") or ())
        return [f"{place}: {message}" if place else str(message)]
    return [] if detail is None else [str(detail)]


def where(loc: Sequence[str | int]) -> str:
    """Return a place in a request as people write it: ``spec.metrics[0].outputs``."""
    text = ""
    for part in loc[1:] if loc and loc[0] == "body" else loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
