"""What the engine's figures are held against. Loaded at first use: to load it takes longer than most tests."""

from importlib import import_module
from typing import Any


class Late:
    """A module that is imported once something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


np = Late("numpy")
stats = Late("scipy.stats")
metrics = Late("sklearn.metrics")
