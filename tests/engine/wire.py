"""A judge on a real socket whose every answer a test can decide."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from assay_sdk.engine.spec import LLMJudgeMetric, parse_metric


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    number: int  # counted from 1, in order of arrival
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The last message."""
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Said:
    """One answer. `raw` bytes are sent as they are, and the connection is closed after them."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Answering = Callable[[Asked], Awaitable[Said]]


def completion(content: str, **choice: Any) -> Said:
    message = {"role": "assistant", "content": content}
    return Said({"choices": [{"index": 0, "message": message, "finish_reason": "stop"} | choice]})


def refusal(status: int, message: str = "no", **headers: str) -> Said:
    return Said({"error": {"message": message}}, status, {name.replace("_", "-"): v for name, v in headers.items()})


class JudgeServer:
    """Answers each POST with what `answer` makes of it, and keeps count."""

    def __init__(self, answer: Answering) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.port = 0
        self._answer = answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    def judge(self, **fields: Any) -> LLMJudgeMetric:
        """A judge with one range score, 0–4, whose prompt is the row's column `q`."""
        model = {"url": self.url, "name": "m"} | fields.pop("model", {})
        definition = {
            "type": "llm-judge",
            "model": model,
            "scores": [{"name": "clarity", "minimum": 0, "maximum": 4}],
            "prompt_template": {"messages": [{"role": "user", "content": "{{item.q}}"}]},
        }
        metric = parse_metric(definition | fields)
        assert isinstance(metric, LLMJudgeMetric)
        return metric

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                said = await self._one(head, reader)
                if said.raw is not None:
                    writer.write(said.raw)
                    break
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                headers = {"content-type": "application/json", "content-length": str(len(body)), **said.headers}
                lines = [f"HTTP/1.1 {said.status} X", *(f"{name}: {value}" for name, value in headers.items())]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the other side is gone, or the test is over
        finally:
            writer.close()

    async def _one(self, head: bytes, reader: asyncio.StreamReader) -> Said:
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        asked = Asked(len(self.asked) + 1, first.split(" ")[1], headers, body)
        self.asked.append(asked)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(asked)
        finally:
            self.in_flight -= 1


@asynccontextmanager
async def serving(answer: Answering, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[JudgeServer]:
    """The server on a free port (or the given one) of this machine, for as long as the block lasts."""
    judge = JudgeServer(answer)
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(judge.handle(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    judge.port = server.sockets[0].getsockname()[1]
    try:
        yield judge
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
