"""Everything that a request can be refused for, and the one place where it becomes a reply.

    Refusal
    ├── BadRequest           400
    ├── Unauthenticated      401
    ├── Forbidden            403
    ├── NotFound             404
    ├── Conflict             409  (never a side effect: clients repeat it)
    ├── PreconditionFailed   412
    ├── TooLarge             413
    ├── RangeNotSatisfiable  416
    ├── Invalid              422  (a sentence, or a list of places in the request)
    ├── Upstream             502  (a hub or judge that the platform depends on)
    └── Unavailable          503

The body is ``{"detail": …}``, platform-v2 section 2.1.
"""

import logging
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.response import Response

from assay_sdk.engine.errors import EngineError
from assay_sdk.engine.worktime import WORK_TIME

logger = logging.getLogger(__name__)


class Refusal(Exception):
    """The request cannot be done as asked; ``detail`` says why, in words for the person who asked."""

    status: ClassVar[int] = 500

    def __init__(self, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(detail)
        self.detail = detail


class BadRequest(Refusal):
    status = 400


class Unauthenticated(Refusal):
    status = 401


class Forbidden(Refusal):
    status = 403


class NotFound(Refusal):
    status = 404


class Conflict(Refusal):
    status = 409


class PreconditionFailed(Refusal):
    status = 412


class TooLarge(Refusal):
    status = 413


class RangeNotSatisfiable(Refusal):
    status = 416


class Invalid(Refusal):
    status = 422


class Upstream(Refusal):
    status = 502


class Unavailable(Refusal):
    status = 503


UNEXPECTED = {"detail": "An unexpected error occurred."}


def envelope(error: Exception, context: dict[str, Any]) -> Response:
    """Return the reply for an error that a view let through (DRF's ``EXCEPTION_HANDLER``)."""
    match error:
        case Refusal():
            reply = Response({"detail": error.detail}, status=error.status)
            if error.status == Conflict.status:
                # Both NeMo clients repeat a 409 unless told that repeating cannot help.
                reply["x-should-retry"] = "false"
            if error.status == Unauthenticated.status:
                reply["WWW-Authenticate"] = 'Basic realm="assay"'
            return reply
        case drf.MethodNotAllowed():
            return Response({"detail": "Method Not Allowed"}, status=405)
        case drf.NotAuthenticated() | drf.AuthenticationFailed():
            return Response(
                {"detail": str(error.detail)}, status=401, headers={"WWW-Authenticate": 'Basic realm="assay"'}
            )
        case drf.PermissionDenied() | PermissionDenied():
            return Response({"detail": "You may not do this."}, status=403)
        case drf.NotAcceptable():
            return Response({"detail": "Not Acceptable"}, status=406)
        case Http404():
            return Response({"detail": "Not Found"}, status=404)
        case RequestDataTooBig():
            return Response({"detail": "The request body is larger than this server takes."}, status=413)
        case SuspiciousOperation():  # a thousand parameters, for one
            return Response({"detail": "The request has too many parameters, or is otherwise malformed."}, status=400)
        case EngineError() | ValueError() if WORK_TIME.over():
            detail = "The templates, patterns and paths of the request take too long together."
            return Response({"detail": detail}, status=422)
        case OperationalError() | InterfaceError():
            busy = "locked" in str(error)
            if not busy:
                logger.error("the database is away: %s", str(error).partition("\n")[0])
            detail = f"The database is {'busy' if busy else 'away'}; try again."
            return Response({"detail": detail}, status=503, headers={"Retry-After": "1"})
    logger.error("unexpected error in %s", type(context.get("view")).__name__, exc_info=error)
    return Response(UNEXPECTED, status=500)
