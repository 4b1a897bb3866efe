"""Waiting for a database that is away: what was paid for is held in memory meanwhile."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

T = TypeVar("T")

DATABASE_PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.25


def patiently(do: Callable[[bool], T], what: str) -> T:
    """Return what ``do`` returns, called anew while the database is away, for a minute at most.

    ``do`` is told whether it was called before: a commit may have succeeded although its reply was lost. Raises the
    database's error after that minute.
    """
    deadline = time.monotonic() + DATABASE_PATIENCE_SECONDS
    again = False
    while True:
        try:
            return do(again)
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            if not again:
                logger.warning("the database is away; %s", what)
            again = True
            time.sleep(PAUSE_SECONDS)
