"""Who may call when: a port through which calls of several runs share what one endpoint allows."""

from collections.abc import Callable
from typing import Protocol

from assay_sdk.engine.endpoint import Endpoint
from assay_sdk.engine.errors import TransportFailure
from assay_sdk.engine.pace import Waiting
from assay_sdk.engine.transport import HTTPReply


class Gate(Protocol):
    """The way to one endpoint, as one run sees it."""

    async def admit(self, waiting: Waiting, size: int) -> None:
        """Return when one call with a body of so many bytes may go out, at once.

        Waits with ``waiting.sleep``, which raises Stopped.
        """
        ...

    def saw(self, outcome: HTTPReply | TransportFailure) -> float | None:
        """Take in how the call ended; each admitted call is followed by one outcome, unless it is cancelled.

        Returns the seconds after which the same call is to be admitted again, which counts as no attempt; 0 where
        ``admit`` does the waiting. None where the gate leaves it to the run to try again, or not.
        """
        ...


Gates = Callable[[Endpoint], Gate]


class OpenGate:
    """Lets everything through: the pace of the run alone bounds its calls."""

    async def admit(self, waiting: Waiting, size: int) -> None:
        return

    def saw(self, outcome: HTTPReply | TransportFailure) -> float | None:
        return None


def open_gates(endpoint: Endpoint) -> Gate:
    """Return a gate that is always open."""
    return OpenGate()
