"""A judge that costs next to nothing: the far end of what is measured, as a process of its own.

Answers every POST after a fixed wait with the same score. The number in a request's body comes back in the reply, so
that a client which mixes replies up is found out.
"""

import argparse
import asyncio
import json
import re
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

NUMBER = b'"number": "'
DIGITS = 8
LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
MARK = b"00000000"
SCORE = json.dumps({"helpfulness": 3})
REASON = "Clear, correct and to the point. " * 34  # makes a reply of 1.5 kB
MESSAGE = {"role": "assistant", "content": SCORE, "reasoning_content": REASON}
BODY = json.dumps(
    {
        "number": MARK.decode(),
        "object": "chat.completion",
        "model": "bench",
        "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 350, "completion_tokens": 250, "total_tokens": 600},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
BEFORE, _, AFTER = BODY.partition(MARK)


class JudgeProtocol(asyncio.Protocol):
    """One connection, one request at a time; requests must have a Content-Length."""

    calls = 0
    first = last = 0.0

    def __init__(self, wait: float) -> None:
        self._wait = wait
        self._held = b""
        self._call_later = asyncio.get_running_loop().call_later

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        if self._held.startswith(b"GET"):  # /calls: how many came, and when, since the last look
            self._held = b""
            body = json.dumps({"calls": self.calls, "first": self.first, "last": self.last}).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            JudgeProtocol.first = 0.0
            return
        length = LENGTH.search(self._held, 0, end)
        assert length is not None
        if len(self._held) >= end + 4 + int(length[1]):
            at = self._held.find(NUMBER, end)
            number = self._held[at + len(NUMBER) :][:DIGITS] if at >= 0 else MARK
            self._held = b""
            JudgeProtocol.calls += 1
            JudgeProtocol.first = self.first or time.monotonic()
            self._call_later(self._wait, self._reply, number)

    def _reply(self, number: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(HEAD + BEFORE + number + AFTER)
            JudgeProtocol.last = time.monotonic()


class BenchJudge:
    """The running process; `url` is the OpenAI base URL. Ends with the block, or with the process that started it."""

    def __init__(self, *, wait_ms: float = 0.0) -> None:
        command = [sys.executable, __file__, "--wait-ms", str(wait_ms)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 20)
        assert ready, "the judge did not start"
        self.url = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=10)  # closes its standard input, upon which it ends


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wait-ms", type=float, default=0.0)
    wait = parser.parse_args().wait_ms / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: JudgeProtocol(wait), "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
