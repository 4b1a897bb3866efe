"""A judge that is ill for some rows until it is healed, on a real socket of the test's own process."""

import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ROW = re.compile(r"What is (\d+) plus")
"""As the rows of `tests/rest.py` ask."""
PROSE = "I would rather not put a figure on it."


class AilingJudge:
    """Scores row n with n modulo 5; every fourth row finds it ill, in the way of ``illness``.

    ``prose``: it gives no score; ``refuses``: it answers 422; ``breaks``: it answers 500; ``hangs``: it never answers.
    A model called ``steady`` is never ill.
    """

    def __init__(self, illness: str) -> None:
        self.illness = illness
        self.healthy = threading.Event()
        self.ended = threading.Event()
        self.calls: Counter[tuple[str, int]] = Counter()
        """How often each model was asked about each row."""
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                judge.answer(self, asked)

            def reply(self, status: int, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a caller that gave up is no news
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @staticmethod
    def ill(rows: int) -> list[int]:
        """Return the rows that find it ill."""
        return list(range(1, rows, 4))

    def answer(self, handler: Any, asked: dict[str, Any]) -> None:
        found = ROW.search(json.dumps(asked["messages"]))
        row = int(found[1]) if found else 0
        self.calls[asked["model"], row] += 1
        text = json.dumps({"helpfulness": row % 5})
        if row % 4 == 1 and not self.healthy.is_set() and asked["model"] != "steady":
            match self.illness:
                case "prose":
                    text = PROSE
                case "refuses":
                    handler.reply(422, {"error": {"message": f"row {row} is not to my taste"}})
                    return
                case "breaks":
                    handler.reply(500, {"error": {"message": "something broke"}})
                    return
                case "hangs":
                    self.ended.wait()
                    handler.close_connection = True
                    return
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        handler.reply(200, {"id": "x", "model": asked["model"], "choices": [choice], "usage": usage})

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
