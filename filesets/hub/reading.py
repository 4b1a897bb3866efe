"""Reading what a request brings: a small JSON body, and the query's flags and cursors."""

import base64
import binascii
from typing import TypeVar

from django.conf import settings
from django.http import QueryDict
from pydantic import BaseModel
from rest_framework.request import Request

from assay.filesets.upload import Upload
from assay.platform.api import check, decode, django_request
from assay.platform.errors import BadRequest

M = TypeVar("M", bound=BaseModel)


def read_bytes(request: Request) -> bytes:
    """Return a body that fits in memory; raises ``TooLarge``."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return Upload(django_request(request), limit=limit).whole(limit)


def read_json(request: Request, model: type[M]) -> M:
    """Return the body as ``model``, whatever its content type; none at all counts as an empty object."""
    return check(model, decode(read_bytes(request) or b"{}"), "body")


def read_flag(query: QueryDict, name: str) -> bool:
    """Return a boolean in any of the spellings of the clients' versions."""
    return query.get(name, "").lower() in {"1", "true"}


def read_size(query: QueryDict, largest: int) -> int:
    """Return how many entries a page is to have: ``limit``, but never more than ``largest``."""
    asked = query.get("limit")
    if asked is None:
        return largest
    if not (asked.isascii() and asked.isdecimal() and 0 < len(asked) < 10 and int(asked)):
        raise BadRequest("The limit of a list is a number above 0.")
    return min(int(asked), largest)


def write_cursor(*parts: str | int) -> str:
    return base64.urlsafe_b64encode(" ".join(map(str, parts)).encode()).decode()


def read_cursor(query: QueryDict) -> list[str]:
    """Return the parts of the cursor, none where there is no cursor; raises ``BadRequest``."""
    try:
        return base64.b64decode(query.get("cursor", ""), altchars=b"-_", validate=True).decode().split()
    except (binascii.Error, ValueError):
        raise bad_cursor() from None


def bad_cursor() -> BadRequest:
    return BadRequest("The cursor is not one that this server gave.")
