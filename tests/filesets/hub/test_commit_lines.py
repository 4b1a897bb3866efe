"""The body of a commit is read the same however it arrives, and a long line is never held."""

import io
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.filesets.blobs import Readable
from assay.filesets.hub import ndjson
from assay.filesets.hub.ndjson import operations
from assay.platform.errors import BadRequest


class Arriving:
    """A body that arrives in pieces of the given sizes, over and over."""

    def __init__(self, body: bytes, sizes: list[int]) -> None:
        self.body = io.BytesIO(body)
        self.sizes = sizes
        self.turn = 0

    def read(self, size: int, /) -> bytes:
        self.turn += 1
        return self.body.read(min(size, self.sizes[self.turn % len(self.sizes)]))


def whole(content: Readable) -> bytes:
    pieces = []
    while piece := content.read(1000):
        pieces.append(piece)
    return b"".join(pieces)


def read(body: bytes, sizes: list[int] | None = None) -> list[Any]:
    """Return the lines of the body with their content as bytes, or the sentence that refuses it."""
    try:
        return list(operations(Arriving(body, sizes or [1 << 20]), whole))
    except BadRequest as error:
        return [str(error)]


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a line long that is longer than 200 bytes, so that small examples try both ways of reading."""
    monkeypatch.setattr(ndjson, "SHORT", 200)


texts = st.text(max_size=20)
json_text = st.builds(json.dumps, texts)
spaces = st.sampled_from(["", " ", "\t", "  "])


@st.composite
def written_line(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Return a file's line in some order of its members and some spelling, and what it says."""
    content, path = draw(st.binary(max_size=400)), draw(texts)
    encoded = json.dumps(b64encode(content).decode())
    if draw(st.booleans()):
        encoded = encoded.replace("/", "\\/").replace("+", "\\u002b")
    members = {"content": encoded, "path": json.dumps(path), "encoding": '"base64"'}
    extra = draw(st.dictionaries(st.sampled_from(["a", "con\\tent", "value"]), json_text, max_size=2))
    gap = draw(spaces)
    order = draw(st.permutations(sorted({**members, **extra}.items())))
    value = "{" + f",{gap}".join(f'"{name}"{gap}:{gap}{text}' for name, text in order) + "}"
    outer = draw(st.permutations([("key", '"file"'), ("value", value), ("more", '[{"content": ["x", {}]}]')]))
    line = "{" + f"{gap},".join(f'{gap}"{name}":{text}' for name, text in outer) + "}"
    return line, {**json.loads(value), "content": content}


@settings(max_examples=80, deadline=None)
@given(
    lines=st.lists(written_line(), max_size=4),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=5),
    last=st.booleans(),
)
@pytest.mark.usefixtures("short_lines")
def test_any_order_and_any_chunking_give_the_same(
    lines: list[tuple[str, dict[str, Any]]], sizes: list[int], last: bool
) -> None:
    body = "\n".join(line for line, _ in lines) + ("\n" if last else "")
    assert read(body.encode(), sizes) == [("file", value) for _, value in lines]


@settings(max_examples=120, deadline=None)
@given(
    line=written_line(),
    where=st.integers(0, 1000),
    other=st.sampled_from([b"", b'"', b"\\", b"\n", b"=", b"{", b"}", b",", b":", b"\xff", b"!", b"[", b"]"]),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=5),
)
@pytest.mark.usefixtures("short_lines")
def test_broken_lines_are_refused_alike_however_they_arrive(
    line: tuple[str, dict[str, Any]], where: int, other: bytes, sizes: list[int]
) -> None:
    body = line[0].encode()
    where %= len(body)
    body = body[:where] + other + body[where + 1 :]
    assert read(body, sizes) == read(body)


LONG = 300_000


@pytest.mark.parametrize(
    "content",
    ["!" * 8, "QUJD" * LONG + "!QUJ", "QUJD" * LONG + "QUI=" + "QUJD" * LONG, "QUJD" * LONG + "QUJ", "QUJD\\n" * LONG],
    ids=["short", "at the end", "padding inside", "cut off", "line breaks"],
)
def test_what_is_not_base64_is_refused(content: str) -> None:
    assert "base64" in read(b'{"key":"file","value":{"content":"' + content.encode() + b'","path":"a"}}')[0]


@pytest.mark.usefixtures("short_lines")
def test_nothing_follows_the_padding_wherever_a_piece_ends() -> None:
    body = b'{"key":"file","value":{"content":"' + b"QUJD" * 60 + b"QUI=" + b"QUJD" * 3 + b'","path":"a"}}'
    for size in range(1, 70):
        assert "base64" in read(body, [size])[0]


@pytest.mark.parametrize(
    "line",
    [
        b'{"key":"header","value":{"summary":"' + b"x" * 2_000_000 + b'"}}',
        b'{"key":"file","value":{"content":"' + b"QUJD" * LONG + b'","content":"QUJD"}}',
        b'{"key":"file","value":{"content":"' + b"QUJD" * LONG,
        b'{"key":"file","value":{"path":"' + b"QUJD" * LONG,
        b'{"key":"file","value":{"content":"' + b"QUJD" * LONG + b'"' + b" " * 2_000_000 + b"}}",
        b"[" * 2_000_000,
        b'"file"',
        b'{"key":"file"}',
        b'{"key":7,"value":{}}',
        b"\xff\xfe",
    ],
    ids=[
        "long text",
        "two contents",
        "no end",
        "no end of a name",
        "long blanks",
        "deep",
        "text",
        "no value",
        "7",
        "bytes",
    ],
)
def test_lines_that_are_none_are_refused(line: bytes) -> None:
    for sizes in ([1 << 20], [4096]):
        assert [type(answer) for answer in read(line, sizes)] == [str]


def test_a_long_line_is_never_held() -> None:
    import tracemalloc

    def endless() -> Iterator[bytes]:
        yield b'{"key":"file","value":{"content":"'
        for _ in range(30):
            yield b"QUJD" * 262_144
        yield b'","path":"a","encoding":"base64"}}\n'

    class Source:
        pieces = endless()

        def read(self, size: int, /) -> bytes:
            return next(self.pieces, b"")

    def count(content: Readable) -> int:
        return sum(len(piece) for piece in iter(lambda: content.read(1 << 20), b""))

    tracemalloc.start()
    [(key, value)] = operations(Source(), count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (key, value) == ("file", {"content": 30 * 786_432, "path": "a", "encoding": "base64"})
    assert peak < 12_000_000
