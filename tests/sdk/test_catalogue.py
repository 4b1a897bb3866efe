"""What `assay_sdk` offers: all of it, typed, described, and loaded only when it is used."""

import ast
import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import assay_sdk
import assay_sdk.client
from assay_sdk.client import assay, errors
from assay_sdk.client.twins import AsyncResource, Resource, _Method

PROMISED = {
    *("Assay", "AsyncAssay", "LLMJudgeMetric", "RangeScore", "RubricScore", "JSONScoreParser", "RegexScoreParser"),
    *("Model", "InferenceParams", "RunConfig", "RunConfigOnlineModel", "FilesetRef", "HuggingfaceStorage"),
    *("ConflictError", "NotFoundError"),
}
HEAVY = {"httpx", "jinja2", "pydantic", "asyncio", "orjson"}
PROBE = f"""
import sys, time
start = time.perf_counter()
import assay_sdk
took = time.perf_counter() - start
print(took, *sorted({HEAVY} & set(sys.modules)))
"""


def test_every_name_of_the_catalogue_can_be_imported() -> None:
    for name, module in assay_sdk.HOMES.items():
        assert getattr(assay_sdk, name) is getattr(import_module(module), name)
        assert name in dir(assay_sdk)


def test_the_catalogue_holds_what_was_promised() -> None:
    assert set(assay_sdk.HOMES) >= PROMISED


def test_the_catalogue_holds_every_error() -> None:
    raised = {
        name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.AssayError)
    }
    assert raised <= set(assay_sdk.HOMES)


def test_type_checkers_are_shown_the_same_catalogue() -> None:
    tree = ast.parse(Path(assay_sdk.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    shown = {
        alias.asname: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert shown == assay_sdk.HOMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Asay'"):
        assay_sdk.Asay  # noqa: B018


def test_the_import_is_light() -> None:
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    took, *loaded = result.stdout.split()
    assert not loaded, "these load at `import assay_sdk` already"
    assert float(took) < 0.3


# Sync and async


def twins() -> list[tuple[Any, Any]]:
    pairs = [(assay.Assay, assay.AsyncAssay)]
    for module in modules():
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__module__ == module.__name__ and hasattr(module, f"Async{name}"):
                pairs.append((kind, getattr(module, f"Async{name}")))
    return [pair for pair in dict.fromkeys(pairs) if pair != (Resource, AsyncResource)]


def modules() -> list[Any]:
    package = assay_sdk.client
    return [import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)]


def public(kind: Any) -> dict[str, Any]:
    found = {name: value for name, value in inspect.getmembers_static(kind) if not name.startswith("_")}
    return {name: getattr(value, "build", getattr(value, "__func__", value)) for name, value in found.items()}


@pytest.mark.parametrize("pair", twins(), ids=lambda pair: pair[0].__name__)
def test_twins_offer_the_same(pair: tuple[Any, Any]) -> None:
    plain, asynchronous = map(public, pair)
    assert plain.keys() == asynchronous.keys()
    for name, method in plain.items():
        ours, theirs = inspect.signature(method), inspect.signature(asynchronous[name])
        assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
        assert (method.__doc__ or "").split(".")[0] == (asynchronous[name].__doc__ or "").split(".")[0], name


def test_there_are_twins_of_everything_that_sends() -> None:
    assert {kind.__name__ for pair in twins() for kind in pair} >= {
        "Jobs",
        "AsyncJobs",
        "Files",
        "Job",
        "AsyncTransport",
    }


def own(function: Any) -> bool:
    return callable(function) and (getattr(function, "__module__", None) or "").startswith("assay_sdk")


def test_everything_public_is_described() -> None:
    silent = []
    for module in modules():
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
                members = {name: value, **(public(value) if inspect.isclass(value) else {})}
                silent += [
                    f"{module.__name__}.{label}" for label, part in members.items() if own(part) and not part.__doc__
                ]
    assert not silent


def test_help_shows_the_parameters_of_what_is_sent() -> None:
    client = assay_sdk.Assay()
    assert list(inspect.signature(client.secrets.create).parameters) == ["name", "value", "description", "workspace"]
    assert "Seal a value" in (client.secrets.create.__doc__ or "")
    assert isinstance(inspect.getattr_static(type(client.secrets), "create"), _Method)
