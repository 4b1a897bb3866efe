"""What the Hub's clients are refused with, and the shape of every refusal below ``/v1/hf`` (contract, section 2).

    NotFound             RepoMissing
    Conflict             RepoExists        its body says where the repository is, which clients read with ``exist_ok``
    RangeNotSatisfiable  RangePastEnd

The status comes from the platform's own table; clients make their exceptions of the code in ``X-Error-Code``.
"""

import uuid
from typing import Any

from rest_framework.response import Response

from assay.filesets.history_errors import EntryMissing, RevisionMissing
from assay.platform import errors
from assay.platform.errors import Conflict, Invalid, NotFound, RangeNotSatisfiable

LONGEST_HEADER = 500


class RepoMissing(NotFound):
    def __init__(self, kind: str, repo_id: str) -> None:
        super().__init__(f"Repository not found: there is no {kind} '{repo_id[:200]}'")


class RepoExists(Conflict):
    def __init__(self, detail: str, url: str) -> None:
        super().__init__(detail)
        self.url = url


class RangePastEnd(RangeNotSatisfiable):
    def __init__(self, header: str, size: int) -> None:
        super().__init__(f"Invalid range: {header[:100]}")
        self.size = size


def envelope(error: Exception, context: dict[str, Any]) -> Response:
    """Return the reply for an error that a view of the Hub's API let through."""
    reply = errors.envelope(error, context)
    detail = reply.data["detail"]
    text = detail if isinstance(detail, str) else "; ".join(_sentence(mistake) for mistake in detail)
    reply.data = {"error": text}
    match error:
        case RepoMissing():
            reply["X-Error-Code"] = "RepoNotFound"
        case RevisionMissing():
            reply["X-Error-Code"] = "RevisionNotFound"
        case EntryMissing():
            reply["X-Error-Code"] = "EntryNotFound"
            # A client remembers the absence of a file under the commit that lacks it.
            commit = getattr(context["view"], "commit", None)
            if commit is not None:
                reply["X-Repo-Commit"] = commit.oid
        case RepoExists():
            reply.data["url"] = error.url
        case RangePastEnd():
            reply["Content-Range"] = f"bytes */{error.size}"
        case Invalid():
            reply.status_code = 400
    if reply.status_code == 401:
        reply.data["error"] = "Invalid credentials in Authorization header"
    reply["X-Error-Message"] = _one_line(reply.data["error"])
    reply["X-Request-Id"] = uuid.uuid4().hex
    return reply


def _sentence(mistake: dict[str, Any]) -> str:
    return f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}"


def _one_line(text: str) -> str:
    plain = "".join(char if " " <= char <= "~" else "?" if char.isprintable() else " " for char in text)
    return plain[:LONGEST_HEADER]
