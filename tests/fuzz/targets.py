"""All targets by their names, and what they need around them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command

from tests.fuzz import engine_targets, server_targets
from tests.fuzz.fuzzing import Target

TARGETS = {target.name: target for target in (*engine_targets.TARGETS, *server_targets.TARGETS)}


@contextmanager
def prepared(target: Target) -> Iterator[Target]:
    """Yield the target with all that it needs: with a database of its own, if it needs one."""
    if target.database:
        call_command("migrate", verbosity=0)
        with furnished():
            yield target
    else:
        yield target


@contextmanager
def furnished() -> Iterator[None]:
    """A workspace with one of everything in the database at hand, and nobody else to be reached from here."""
    with _alone(), server_targets.world():
        yield


@contextmanager
def _alone() -> Iterator[None]:
    """Let nothing connect or look up a name, whatever address a case makes of those in its seeds."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("nobody is there")

    def look_at_numbers(host: Any, *rest: Any, **more: Any) -> Any:
        more["flags"] = socket.AI_NUMERICHOST
        return look_up(host, *rest[:1], **more)

    socket.socket.connect, socket.getaddrinfo = refuse, look_at_numbers  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect, socket.getaddrinfo = connect, look_up  # type: ignore[method-assign]
