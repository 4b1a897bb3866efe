"""Replies that were paid for, kept by what was asked, so that nobody has to pay for the same twice.

The engine asks a store before it calls, and hands it every reply of use. What becomes of them is the store's business.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_KEYS_IN_HEADERS = ("auth", "key", "token", "secret", "cookie")


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and about which row. Two questions with the same key may be answered by the same reply."""

    key: bytes
    """SHA-256 over the address, the headers that are no credentials, the body, and which draw of it this is."""
    row: int
    model: str
    address: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply as it came, without its headers; never with the key that it was asked with."""

    status: int
    body: bytes


class Replies(Protocol):
    """A store of replies, for one run."""

    async def find(self, question: Question) -> Kept | None:
        """Return the reply to a question that was asked before, if it is kept."""
        ...

    def keep(self, question: Question, reply: Kept) -> None:
        """Take in a reply. It is written down soon, at the latest before the row's score is."""
        ...


class NoReplies:
    """Keeps nothing."""

    async def find(self, question: Question) -> Kept | None:
        return None

    def keep(self, question: Question, reply: Kept) -> None:
        pass


def key_of(url: str, headers: Mapping[str, str], body: bytes, draw: tuple[int, ...]) -> bytes:
    """Return the key of a question; `draw` counts the samples, and the times that it was asked again."""
    told = sorted((name, value) for name, value in headers.items() if not any(w in name for w in _KEYS_IN_HEADERS))
    found = hashlib.sha256(repr((1, url, told, draw)).encode())
    found.update(body)
    return found.digest()
