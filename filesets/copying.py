"""Holding off the removal of contents while somebody copies them: what a backup's database refers to is then there.

A file in the data folder says so, which every process of a team sees; it counts for as long as it is kept young.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from django.conf import settings

YOUNG_SECONDS = 600.0
"""So long after a copier was killed, contents are removed again."""
TOUCH_SECONDS = 30.0


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "copying"


@contextmanager
def nothing_removed() -> Iterator[None]:
    """Keep every content that something refers to when the block begins, until it ends."""
    _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    sign = _folder() / token_hex(8)
    sign.touch()
    over = threading.Event()

    def keep_young() -> None:
        while not over.wait(TOUCH_SECONDS):
            with suppress(OSError):
                sign.touch()

    keeper = threading.Thread(target=keep_young, name="copying", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        sign.unlink(missing_ok=True)


def going_on() -> bool:
    """Return whether somebody copies contents. To be asked when a content's row is held, and before it is removed."""
    since = time.time() - YOUNG_SECONDS
    for sign in _folder().glob("*"):
        with suppress(FileNotFoundError):
            if sign.stat().st_mtime > since:
                return True
    return False
