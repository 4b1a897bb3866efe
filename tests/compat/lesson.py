"""What the steps of the tutorial share: the client, the addresses, the rows and what earlier steps made."""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dialect import Dialect, http_status

SECRET = "nvidia-api-key"
SECRET_VALUE = "compat-key-that-must-never-be-shown"
FILESET = "helpsteer2-eval"
RESPONSE_ROWS = "validation.jsonl.gz"


class Broken(AssertionError):
    """The platform answered, and the answer is not what this client's user was promised."""


@dataclass
class Lesson:
    """One run of the tutorial by one client."""

    client: Any
    dialect: Dialect
    workspace: str
    judge_url: str
    hub_url: str
    hub_revision: str
    dataset: Path
    folder: Path
    jobs: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows that the hub serves as ``validation.jsonl.gz``, in order."""
        return [json.loads(line) for line in self.dataset.read_text(encoding="utf-8").splitlines()]

    def judge_calls(self) -> int:
        """How many chat completions the stand-in judge has answered so far."""
        address = self.judge_url.removesuffix("/v1") + "/stats"
        with urllib.request.urlopen(address, timeout=10) as reply:
            return int(json.load(reply)["calls"])


Step = Callable[[Lesson], dict[str, Any] | None]


def expect(holds: bool, otherwise: str) -> None:
    """Fail the step with ``otherwise`` unless ``holds``."""
    if not holds:
        raise Broken(otherwise)


def expect_equal(got: object, wanted: object, what: str) -> None:
    expect(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def expect_refused(status: int, call: Callable[[], object], error: type[Exception] = Exception) -> str:
    """The call must raise ``error`` because of this HTTP status; returns the platform's words."""
    try:
        call()
    except error as refused:
        expect_equal(http_status(refused), status, f"status behind {type(refused).__name__}")
        return str(refused)
    except Exception as other:
        raise Broken(f"wanted {error.__name__}, got {type(other).__name__}: {other}") from other
    raise Broken(f"wanted a refusal with status {status}, but the call succeeded")
