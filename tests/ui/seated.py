"""Somebody who is signed in, before pages without a browser."""

from django.test import Client

from tests.accounts.signing_in import person

QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""For ``PASSWORD_HASHERS``, where many accounts are made: the real one takes a third of a second."""


def pages_of(name: str, workspace: str = "", role: str = "", **fields: bool) -> Client:
    """Return what asks for pages as somebody: a member of ``workspace``, if one is named."""
    browser = Client(HTTP_HOST="localhost")
    browser.force_login(person(name, workspace, role, **fields), "django.contrib.auth.backends.ModelBackend")
    return browser
