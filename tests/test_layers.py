"""Who may import whom (docs/architecture.md): between the apps, and inside each from doors to verbs to models."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ORDER = ["platform", "workspaces", "accounts", "secrets", "filesets", "evaluator", "jobs", "operations", "ui"]
WIRING = {
    "platform.urls",
    "platform.celery",
    "platform.settings",
    "platform.supervisor",
    "platform.management",
    "platform.site",
}
"""Parts of `platform` that put the apps together, and so stand above them."""
DOORS = {
    "views", "urls", "views_evaluate", "views_agreement", "urls_evaluate", "views_v1", "urls_v1", "views_v1_results",
    "views_v2_evaluation", "urls_v2_evaluation", "views_control", "views_rows", "admin", "tasks", "pages",
}  # fmt: skip

MODULES = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): path
    for folder in ORDER
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts and path.name != "__init__.py"
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("assay.") for name in found if name.startswith("assay.")}


def wiring(module: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in WIRING)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_imports_only_what_stands_below_it(module: str) -> None:
    if wiring(module):
        return
    app, _, rest = module.partition(".")
    for name in imports(MODULES[module]):
        other, _, inner = name.partition(".")
        assert ORDER.index(other) <= ORDER.index(app), f"{module} imports {name}, which stands above it"
        if other != app:
            continue
        first = inner.partition(".")[0]
        if rest == "models":
            assert first in {"", "models"} or app == "platform", f"models import no verb: {module} imports {name}"
        elif rest.partition(".")[0] not in DOORS:
            assert first not in DOORS, f"verbs import no door: {module} imports {name}"


@pytest.mark.parametrize("path", sorted((ROOT / "sdk" / "assay_sdk").rglob("*.py")), ids=lambda path: path.stem)
def test_the_sdk_imports_nothing_of_the_server(path: Path) -> None:
    assert not imports(path)
    text = path.read_text()
    assert "import django" not in text
    if "engine" in path.parts:
        assert "assay_sdk.client" not in text, "the engine knows no client"
