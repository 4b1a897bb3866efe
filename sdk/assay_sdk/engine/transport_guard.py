"""Connecting only to addresses that a guard lets pass.

A name that is checked before a call and looked up again for it may lead elsewhere the second time. So a transport that
has a guard looks the name up itself, shows the guard what it found, and connects to just those addresses; the name
stays what the request and the certificate are about.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

EYEBALLS_SECONDS = 0.25

Guard = Callable[[str, int, Sequence[str]], None]
"""Returns if a host may be called at a port and at these addresses, which are all it has; raises otherwise.

What it raises, an exception of its own, comes out of `post` as it is: that is no failure of a call, and nothing repeats
it. A guard is asked when a connection is made, not for each call, and in the event loop: it waits for nothing.
"""


class Refused(Exception):
    """Internal: carries what a guard raised through a library."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(reason)
        self.reason = reason


async def permitted(host: str, port: int, guard: Guard) -> list[str]:
    """The addresses that the host has at this moment. Raises what the guard raises, and OSError for an unknown name."""
    addresses = spelled(host) or await _found(host, port)
    guard(host, port, addresses)
    return addresses


def spelled(host: str) -> list[str]:
    """The address that stands in the place of a name; empty where a name does."""
    with suppress(ValueError):
        return [str(ip_address(host))]
    with suppress(OSError, ValueError):  # decimal, octal and hexadecimal spellings
        return [str(socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0][4][0])]
    return []


async def connected(addresses: Sequence[str], port: int) -> socket.socket:
    """A connection to the first address that takes one; raises OSError when none does.

    The next is tried when one before it has failed, or was silent for a moment.
    """
    untried, trying = list(addresses), set[asyncio.Task[socket.socket]]()
    try:
        while True:
            if untried:
                trying.add(asyncio.create_task(_connected(untried.pop(0), port)))
            patience = EYEBALLS_SECONDS if untried else None
            done, _ = await asyncio.wait(trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                trying.discard(task)
                if task.exception() is None or not (untried or trying):
                    return task.result()
    finally:
        for task in trying:
            task.cancel()
            task.add_done_callback(_close_unwanted)


async def _found(host: str, port: int) -> list[str]:
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not entries:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


async def _connected(address: str, port: int) -> socket.socket:
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _close_unwanted(trying: asyncio.Task[socket.socket]) -> None:
    if not trying.cancelled() and trying.exception() is None:
        trying.result().close()
