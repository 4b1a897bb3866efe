"""The body of a commit: one JSON object a line, where a line may hold a whole file in base64 (contract, section 4.2).

A line of up to 1 MB is read as it is. Of a longer one only a file's content may be long: it is decoded while it
arrives and handed on as a stream, and the rest of the line is read as if the content were empty.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import orjson

from assay.filesets.blobs import Readable
from assay.platform.errors import BadRequest

CHUNK = 1024 * 1024
SHORT = 1024 * 1024
"""Bytes up to which a line is read as it is."""
LONGEST_REST = 64 * 1024
"""Bytes of a longer line without its content."""
CONTENT = ["value", "content"]
BROKEN_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?$")

Kept = TypeVar("Kept")


def operations(source: Readable, keep: Callable[[Readable], Kept]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key and value of every line, with the content of a file decoded.

    That of a long line is what ``keep`` returned for it, which reads the content to its end. Raises ``BadRequest`` for
    a body that is not as it should be.
    """
    body = _Body(source)
    while not body.over():
        line = body.short_line()
        if line is None:
            yield _checked(_long_line(body, keep), body.number)
        elif line.strip():
            operation = _checked(_loads(line, body.number), body.number)
            key, value = operation
            if key == "file" and "content" in value:
                text = value["content"]
                if not isinstance(text, str):
                    raise BadRequest(f"Line {body.number} of the commit: content is not text.")
                value["content"] = _decoded(text.encode(), body.number)
            yield operation


class _Body:
    """The bytes of a body, a chunk of them at hand, and the number of the line that is being read."""

    def __init__(self, source: Readable) -> None:
        self.source = source
        self.chunk = b""
        self.at = 0
        self.number = 0
        self.ended = False

    def over(self) -> bool:
        return self.at == len(self.chunk) and not self._more()

    def short_line(self) -> bytes | None:
        """Take a line without its end; or leave it, and return None, if it is a long one."""
        self.number += 1
        end = self.chunk.find(b"\n", self.at, self.at + SHORT + 1)
        while end < 0 and len(self.chunk) - self.at <= SHORT and self._more():
            end = self.chunk.find(b"\n", self.at, self.at + SHORT + 1)
        if end < 0:
            if len(self.chunk) - self.at > SHORT:
                return None
            end = len(self.chunk)
        line, self.at = self.chunk[self.at : end], min(end + 1, len(self.chunk))
        return line

    def byte(self) -> bytes:
        """Take one byte; empty at the end of the body."""
        if self.over():
            return b""
        self.at += 1
        return self.chunk[self.at - 1 : self.at]

    def until_quote(self) -> tuple[bytes, bool]:
        """Take what is at hand of a string, and say whether its closing quote was reached."""
        if self.over():
            raise BadRequest(f"Line {self.number} of the commit ends within a file's content.")
        end = self.chunk.find(b'"', self.at)
        piece = self.chunk[self.at : end] if end >= 0 else self.chunk[self.at :]
        self.at = end + 1 if end >= 0 else len(self.chunk)
        return piece, end >= 0

    def _more(self) -> bool:
        if not self.ended:
            piece = self.source.read(CHUNK)
            self.ended = not piece
            self.chunk, self.at = self.chunk[self.at :] + piece, 0
        return not self.ended


class _Content:
    """The content of a file in a long line, decoded; reads like a file."""

    def __init__(self, body: _Body) -> None:
        self.body = body
        self.rest = b""
        """What is left over of the last piece: base64 is decoded four characters at a time."""
        self.escape = b""
        self.ended = False
        self.padded = False

    def read(self, size: int = -1, /) -> bytes:
        content = b""
        while not content and not self.ended:
            piece, self.ended = self.body.until_quote()
            text = self.rest + self._unescaped(piece)
            whole = len(text) if self.ended else len(text) // 4 * 4
            self.rest = text[whole:]
            if whole:
                if self.padded:
                    raise _no_base64(self.body.number)
                self.padded = text[:whole].endswith(b"=")
                content = _decoded(text[:whole], self.body.number)
        return content

    def _unescaped(self, piece: bytes) -> bytes:
        r"""Return the piece with JSON's escapes resolved: there are encoders that write ``\/`` for a slash."""
        piece, self.escape = self.escape + piece, b""
        if b"\\" not in piece:
            return piece
        if not self.ended and (broken := BROKEN_ESCAPE.search(piece)):
            piece, self.escape = piece[: broken.start()], piece[broken.start() :]
        try:
            return str(orjson.loads(b'"' + piece + b'"')).encode()
        except orjson.JSONDecodeError:
            raise _no_base64(self.body.number) from None


def _long_line(body: _Body, keep: Callable[[Readable], Kept]) -> Any:
    """Read one line member by member, so that its content can be handed on while it arrives."""
    short = bytearray()
    members: list[str | None] = []
    """For each object or array that is open: the member that is being read of it."""
    name: str | None = None
    kept: list[Kept] = []
    while (byte := body.byte()) not in {b"", b"\n"}:
        if byte == b'"' and members == CONTENT:
            if kept:
                raise BadRequest(f"Line {body.number} of the commit has more than one content.")
            kept.append(keep(_Content(body)))
            short += b'""'
            continue
        if byte == b'"':
            string = _string(body)
            short += string
            name = _loads(string, body.number)
            continue
        short += byte
        if byte in b"{[":
            members.append(None)
        elif byte in b"}]" and members:
            members.pop()
        elif byte in b":," and members:
            members[-1] = name if byte == b":" else None
        _refuse_longer(short, body.number)
    line = _loads(bytes(short), body.number)
    if kept and isinstance(line, dict) and isinstance(line.get("value"), dict):
        line["value"]["content"] = kept[0]
    return line


def _string(body: _Body) -> bytes:
    """Take the rest of a string whose opening quote was taken, and return it with both quotes."""
    string = bytearray(b'"')
    while (byte := body.byte()) not in {b"", b"\n"}:
        string += byte
        if byte == b'"':
            return bytes(string)
        if byte == b"\\":
            string += body.byte()
        _refuse_longer(string, body.number)
    raise BadRequest(f"Line {body.number} of the commit ends within a string.")


def _refuse_longer(part: bytearray, number: int) -> None:
    if len(part) > LONGEST_REST:
        raise BadRequest(f"Line {number} of the commit is longer than {LONGEST_REST} bytes without a file's content.")


def _loads(line: bytes, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadRequest(f"Line {number} of the commit is not JSON.") from None


def _checked(line: Any, number: int) -> tuple[str, dict[str, Any]]:
    match line:
        case {"key": str(key), "value": dict(value)}:
            return key, value
    raise BadRequest(f"Line {number} of the commit is not an object with a key and a value.")


def _decoded(text: bytes, number: int) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise _no_base64(number) from None


def _no_base64(number: int) -> BadRequest:
    return BadRequest(f"Line {number} of the commit: the content is not base64.")
