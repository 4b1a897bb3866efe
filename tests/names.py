"""A name server whose every answer a test decides: Python's own, patched in this process."""

import socket
from typing import Any

import pytest


class Names:
    """What names lead to. Each look-up of a name uses up one of its answers; the last one stays."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._answers: dict[str, list[list[str]]] = {}
        self._real = socket.getaddrinfo
        self.asked: list[str] = []
        patch.setattr(socket, "getaddrinfo", self._look_up)

    def lead(self, name: str, *answers: str | list[str]) -> None:
        self._answers[name] = [[answer] if isinstance(answer, str) else answer for answer in answers]

    def _look_up(self, host: Any, port: Any, *given: Any, **options: Any) -> Any:
        if host not in self._answers or options.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._real(host, port, *given, **options)
        self.asked.append(host)
        answers = self._answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], socket.SOCK_STREAM, 6, "", (each, int(port))) for each in addresses]
