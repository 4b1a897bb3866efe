"""Rotations that are killed at every step, on the database and data folder of the environment; prints what is left.

A process of its own, since Django knows one database a process: test_rotation.py starts it.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent.parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "assay.platform.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from assay.platform.keyfile import KeyFile  # noqa: E402
from assay.secrets import rotation, store  # noqa: E402
from assay.secrets.models import Secret  # noqa: E402
from assay.secrets.vault import key_file, open_secret  # noqa: E402
from assay.workspaces.models import Workspace  # noqa: E402

SECRETS = rotation.BATCH + 5


def die(*args: Any, **named: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, owner: Any, name: str, *, after: bool = False) -> Callable[[], None]:
    """Return what makes the process die at the nth call of a function, or just after it."""

    def arm() -> None:
        real = getattr(owner, name)
        calls = 0

        def watched(*args: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls < number:
                return real(*args, **named)
            if after:
                real(*args, **named)
            return die()

        setattr(owner, name, watched)

    return arm


DEATHS = {
    "with the new key in a draft": at_call(1, Path, "replace"),
    "with the new key in its place": at_call(1, Path, "replace", after=True),
    "before anything is sealed anew": at_call(1, rotation, "seal_anew"),
    "with some values sealed anew": at_call(rotation.BATCH + 3, rotation, "seal_anew"),
    "with all values sealed anew": at_call(1, KeyFile, "drop"),
    "with the old keys still in their place": at_call(2, Path, "replace"),
    "with the old keys gone": at_call(2, Path, "replace", after=True),
}


def rotate_and_die(arm: Callable[[], None]) -> int:
    """Return the signal that ended a rotation in a process of its own."""
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]  # its connections would be the child's as well
    child = os.fork()
    if child == 0:
        try:
            arm()
            with quiet():
                call_command("rotate_encryption_keys", forget_old=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


@contextmanager
def quiet() -> Any:
    sys.stdout, before = open(os.devnull, "w"), sys.stdout  # noqa: PTH123, SIM115
    try:
        yield
    finally:
        sys.stdout = before


def wrong(workspace: Workspace) -> list[str]:
    """Return the secrets whose value is not what was stored."""
    secrets = list(Secret.objects.filter(workspace=workspace).select_related("workspace"))
    return [secret.name for secret in secrets if open_secret(secret).reveal() != f"value of {secret.name}"]


def forgets_while_somebody_stores(workspace: Workspace) -> dict[str, Any]:
    """Seal with a key, let a rotation begin that would give it up, and only then commit."""
    sealed, rotated = threading.Event(), threading.Event()

    def store_slowly() -> None:
        with transaction.atomic():
            store.create_secret(workspace, "late", "value of late", None)
            sealed.set()
            early = rotated.wait(1.0)
        found["over before the commit"] = early
        connection.close()

    def rotate() -> None:
        sealed.wait(30)
        rotation.add_key()
        rotation.reseal_all()
        rotation.forget_unused()
        rotated.set()
        connection.close()

    found: dict[str, Any] = {}
    threads = [threading.Thread(target=act) for act in (store_slowly, rotate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found | {"wrong": wrong(workspace), "keys": len(key_file().keys())}


def main() -> None:
    call_command("migrate", verbosity=0)
    workspace, _ = Workspace.objects.get_or_create(name="deaths")
    for number in range(SECRETS):
        store.create_secret(workspace, f"key-{number}", f"value of key-{number}", None)
    deaths = {}
    for name, arm in DEATHS.items():
        ended = rotate_and_die(arm)
        deaths[name] = {"signal": ended, "wrong": wrong(workspace), "missing": len(rotation.unreadable())}
    slow = forgets_while_somebody_stores(workspace)
    with quiet():
        call_command("rotate_encryption_keys", forget_old=True)
    folder = key_file().path.parent
    end = {"wrong": wrong(workspace), "keys": len(key_file().keys()), "files": sorted(p.name for p in folder.iterdir())}
    print(json.dumps({"vendor": connection.vendor, "deaths": deaths, "slow": slow, "end": end}))


if __name__ == "__main__":
    main()
