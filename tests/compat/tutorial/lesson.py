"""What the steps of the tutorial share: the client, the addresses, the rows and what earlier steps made."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import steps
from dialect import Dialect

SECRET = "nvidia-api-key"
SECRET_VALUE = "compat-key-that-must-never-be-shown"
FILESET = "helpsteer2-eval"
RESPONSE_ROWS = "validation.jsonl.gz"


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
        return steps.judge_calls(self.judge_url)
