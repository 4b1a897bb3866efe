"""A platform that says what a test tells it to, on a real socket, and keeps what it was asked."""

import json
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer. ``cut`` hangs up after so many bytes of the body; with 0 not even the reply's head is sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    hold: threading.Event | None = None
    """The answer waits for this."""
    times: int = 1
    """The body is sent so many times over."""


def reply(content: Any = None, status: int = 200, **headers: str) -> Reply:
    """Return an answer that holds JSON; header names are written with underscores."""
    body = b"" if content is None else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, {"Content-Type": "application/json", **named})


Answer = Reply | Callable[[Asked], Reply]


class Stub:
    """Answers each address with its list of answers, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.swallows = False
        """Bodies are read and forgotten."""
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def serve(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                asked = Asked(self.command, parts.path, query, dict(self.headers), self.read_body())
                stub.asked.append(asked)
                self.answer(stub.next_answer(asked))

            def read_body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return body
                length = int(self.headers.get("Content-Length", 0))
                if not stub.swallows:
                    return self.rfile.read(length)
                while length:
                    length -= len(self.rfile.read(min(length, 65536)))
                return b""

            def answer(self, answer: Reply) -> None:
                if answer.hold:
                    answer.hold.wait(10)
                if answer.cut == 0:
                    self.hang_up()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.body) * answer.times))
                self.end_headers()
                for _ in range(answer.times):
                    self.wfile.write(answer.body[: answer.cut])
                if answer.cut is not None:
                    self.wfile.flush()
                    self.hang_up()

            def hang_up(self) -> None:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer an address from now on with these, one after the other."""
        self._answers[method, path] = list(answers)

    def next_answer(self, asked: Asked) -> Reply:
        answers = self._answers[asked.method, asked.path]
        if not answers:
            return reply({"detail": "Not Found"}, 404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(asked) if callable(answer) else answer

    @property
    def addresses(self) -> list[str]:
        """What was asked for, in order: ``GET /a/b``."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
