"""Fixtures of the SDK's tests: a stub platform, and both clients behind one face."""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay_sdk import Assay, AsyncAssay
from tests.sdk.stub import Stub

RECORDINGS = Path(__file__).resolve().parent.parent / "contract" / "recordings"
TIME = "2026-11-22T17:14:35.233835"


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


class Either:
    """The sync or the async client, called in the same way: ``either("secrets.create", "name", "value")``.

    What the async client hands out lazily comes as a list, from the sync client too.
    """

    def __init__(self, kind: str, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop() if kind == "async" else None
        self.client: Any = AsyncAssay(url, **options) if self._loop else Assay(url, **options)

    def __call__(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        target = self.client
        for part in method.split("."):
            target = getattr(target, part)
        return self.settle(lambda: target(*args, **kwargs))

    def settle(self, call: Callable[[], Any]) -> Any:
        """Return what a call comes to, whichever client made it."""
        if self._loop is None:
            result = call()
            return list(result) if inspect.isgenerator(result) else result

        async def settled() -> Any:
            result = call()
            if inspect.isasyncgen(result):
                return [entry async for entry in result]
            return await result if inspect.isawaitable(result) else result

        return self._loop.run_until_complete(settled())

    def close(self) -> None:
        self.settle(self.client.close)
        if self._loop:
            self._loop.close()


@pytest.fixture(params=["sync", "async"])
def client_of(request: pytest.FixtureRequest) -> Iterator[Callable[..., Either]]:
    """Make clients, of either kind, for a URL and options."""
    made: list[Either] = []

    def make(url: str, **options: Any) -> Either:
        made.append(Either(request.param, url, **options))
        return made[-1]

    yield make
    for either in made:
        either.close()


@pytest.fixture
def either(stub: Stub, client_of: Callable[..., Either]) -> Either:
    """A client of the stub, of either kind."""
    return client_of(stub.url)


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the exchanges of a recording."""
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


def secret(name: str) -> dict[str, Any]:
    """Return a secret as a platform sends it."""
    return {"name": name, "workspace": "default", "description": None, "created_at": TIME, "updated_at": TIME}
