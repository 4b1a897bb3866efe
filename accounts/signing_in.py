"""Writes down who signs in and out, and who tried in vain."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from assay.platform import metrics
from assay.platform.audit import record
from assay.platform.auth import client_address

LONGEST_NAME = 150


def watch() -> None:
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    user_login_failed.connect(_failed)


def _signed_in(sender: Any, request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    record("account.sign_in", user.get_username(), after=_from(request))


def _signed_out(sender: Any, request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    if user is not None:
        record("account.sign_out", user.get_username())


def _failed(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    metrics.sign_ins_failed.inc()
    if getattr(request, "axes_locked_out", False):
        return  # said once; who goes on trying does not fill the audit
    # Django has masked the password; some people type it where the name belongs, so that only known names are kept.
    from django.contrib.auth import get_user_model

    name = str(credentials.get("username") or "")[:LONGEST_NAME]
    known = "\x00" not in name and get_user_model()._default_manager.filter(username=name).exists()
    record("account.sign_in_failed", name if known else "(unknown)", after=_from(request))


def _from(request: HttpRequest | None) -> dict[str, str]:
    return {} if request is None else {"address": client_address(request)}
