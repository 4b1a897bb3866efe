"""One request as a value: what to send, and how to read the reply. Built once, sent by either twin of the transport."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

import orjson
from pydantic import BaseModel

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Query = Mapping[str, str | int | bool | None]

CHUNK = 256 * 1024


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the reader of its reply. Its repr shows no content: that may be a secret."""

    method: str
    path: str
    """Below the base URL, escaped."""
    read: Callable[[bytes], T] = field(repr=False)
    """Makes the reply's body into a value."""
    query: Query = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    body: "Body | None" = field(default=None, repr=False)
    accept: str = "application/json"
    harmless: bool = False
    """A POST that may be repeated: doing it twice is doing it once."""

    @property
    def repeatable(self) -> bool:
        """Whether the request may be sent again when nobody knows what became of the first."""
        again = self.harmless or self.method in {"GET", "HEAD", "PUT", "DELETE"}
        return again and (self.body is None or self.body.rewinds)

    def parameters(self) -> dict[str, str]:
        """Return the query without its empty entries."""
        written = {name: value for name, value in self.query.items() if value is not None}
        return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in written.items()}


class Body:
    """Bytes to upload, read piece by piece: from memory, from a path, or from an open binary file."""

    def __init__(self, content: bytes | str | Path | BinaryIO) -> None:
        self.content = Path(content) if isinstance(content, str) else content
        self.rewinds = True
        self._start = 0
        match self.content:
            case bytes():
                self.length: int | None = len(self.content)
            case Path():
                self.length = self.content.stat().st_size
            case file:
                self.rewinds = file.seekable()
                self._start = file.tell() if self.rewinds else 0
                self.length = file.seek(0, os.SEEK_END) - self._start if self.rewinds else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the first on, every time it is called (``rewinds`` tells whether that is possible)."""
        if isinstance(self.content, bytes):
            for start in range(0, len(self.content), CHUNK):
                yield self.content[start : start + CHUNK]
        elif isinstance(self.content, Path):
            with self.content.open("rb") as file:
                yield from iter(lambda: file.read(CHUNK), b"")
        else:
            stream = self.content
            if self.rewinds:
                stream.seek(self._start)
            yield from iter(lambda: stream.read(CHUNK), b"")


def path(*parts: str) -> str:
    """Return ``/a/b/c`` with every part escaped as one segment.

    An empty part or ``..`` would name another address, so both are refused with ``ValueError``.
    """
    return "/" + "/".join(segment(part) for part in parts)


def segment(text: str) -> str:
    """Return ``text`` escaped for one place in a path."""
    if not text or text in {".", ".."}:
        raise ValueError(f"{text!r} is not a name")
    return quote(text, safe="@+")


def file_path(text: str) -> str:
    """Return the path of a file inside a fileset, escaped; slashes stay."""
    return "/".join(segment(part) for part in text.strip("/").split("/"))


def fields(**values: Any) -> dict[str, Any]:
    """Return the members of a JSON body that were given."""
    return {name: value for name, value in values.items() if value is not None}


def one(model: type[M]) -> Callable[[bytes], M]:
    """Return a reader of one ``model``."""
    return lambda body: model.model_validate(orjson.loads(body))


def many(model: type[M]) -> Callable[[bytes], tuple[M, ...]]:
    """Return a reader of an unpaged ``{"data": […]}``."""
    return lambda body: tuple(model.model_validate(entry) for entry in orjson.loads(body)["data"])


def nothing(body: bytes) -> None:
    """Read a reply that says no more than that it worked."""


def whole(body: bytes) -> bytes:
    """Read a reply as it is."""
    return body


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class Paged(Generic[T]):
    """A list that comes in pages."""

    path: str
    read: Callable[[Any], T] = field(repr=False)
    """Makes an entry of the list into a value."""
    query: Query = field(default_factory=dict)
    size: int = 100

    def page(self, number: int) -> Call[Page[T]]:
        """Return the request for one page."""

        def read(body: bytes) -> Page[T]:
            reply = orjson.loads(body)
            items = tuple(self.read(entry) for entry in reply["data"])
            paging = reply.get("pagination") or {}
            return Page(items, number, paging.get("total_pages", number), paging.get("total_results", len(items)))

        return Call("GET", self.path, read, {**self.query, "page": number, "page_size": self.size})

    def walk(self) -> "Walk[T]":
        """Return a walk from the first page to the last."""
        return Walk(self)


class Walk(Generic[T]):
    """Goes through the pages of a list that may change meanwhile.

    What arrives meanwhile pushes entries to the next page: none is handed out twice. What is deleted meanwhile, by the
    very loop that reads the list for instance, pulls entries to pages already read: then the walk starts over, once for
    every page on which the list got shorter.
    """

    def __init__(self, paged: Paged[T]) -> None:
        self._paged = paged
        self._seen: set[tuple[str, str]] = set()
        self._total = 0
        self._next = 1

    def ask(self) -> Call[Page[T]] | None:
        """Return the request for the next page; None at the end."""
        return self._paged.page(self._next) if self._next else None

    def take(self, page: Page[T]) -> Iterable[T]:
        """Note what came and return what is new in it."""
        new = [entry for entry in page.items if not self._known(entry)]
        if page.total < self._total:
            self._next = 1 if page.number > 1 else 2
        else:
            self._next = page.number + 1
        if self._next > max(page.pages, 1) or (page.number == 1 and not page.items):
            self._next = 0
        self._total = page.total
        return new

    def _known(self, entry: T) -> bool:
        key = (str(getattr(entry, "workspace", "")), str(getattr(entry, "name", entry)))
        if key in self._seen:
            return True
        self._seen.add(key)
        return False


def filter_text(wanted: Mapping[str, object] | None) -> str | None:
    """Return a list's filter as the server reads it: ``{"name": {"$like": "demo"}}`` as JSON."""
    return orjson.dumps(dict(wanted)).decode() if wanted else None
