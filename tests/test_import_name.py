"""`platform/` and `secrets/` must never hide Python's own modules of those names, however the code is started."""

import os
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STDLIB = Path(sysconfig.get_path("stdlib")).resolve()
FOLDERS = [
    "platform", "workspaces", "accounts", "filesets", "secrets", "evaluator", "jobs", "operations", "ui",
]  # fmt: skip
PROBE = (
    "import platform, secrets; platform.python_version(), secrets.token_hex(8); "
    "print('stdlib:' + platform.__file__, 'stdlib:' + secrets.__file__, sep='\\n', flush=True)"
)
BIN = Path(sys.executable).parent
HERE = {"PYTHONPATH": str(ROOT)}
ENTRIES = {
    "the root as working directory": ([sys.executable, "-c", PROBE], {}, ROOT),
    "PYTHONPATH from another directory": ([sys.executable, "-c", PROBE], HERE, ROOT / "docs"),
    "a safe path": ([sys.executable, "-P", "-c", PROBE], HERE, ROOT),
    "manage.py": ([sys.executable, "manage.py", "shell", "-v0", "-c", PROBE], {}, ROOT),
    "manage.py from another directory": (
        [sys.executable, str(ROOT / "manage.py"), "shell", "-v0", "-c", PROBE],
        {},
        ROOT / "docs",
    ),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_a_package_only_under_the_import_name(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists(), "this would hide or double the module"
    assert list(import_module(f"assay.{folder}").__path__) == [str(ROOT / folder)]


@pytest.mark.parametrize("folder", sorted(set(FOLDERS) - {"platform", "secrets"}))
def test_nothing_imported_a_folder_by_its_bare_name(folder: str) -> None:
    assert not any(name == folder or name.startswith(f"{folder}.") for name in sys.modules)


def test_pytest_itself_sees_the_standard_modules() -> None:
    import platform
    import secrets

    assert {Path(platform.__file__ or "").parent, Path(secrets.__file__ or "").parent} == {STDLIB}


@pytest.mark.parametrize("entry", ENTRIES)
def test_python_sees_the_standard_modules_from(entry: str) -> None:
    argv, env, folder = ENTRIES[entry]
    assert seen_by(argv, env, folder) == {STDLIB}


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param([sys.executable, "-m", "celery", "-A", "assay.platform", "report"], marks=pytest.mark.thorough),
        [str(BIN / "celery"), "-A", "assay.platform", "report"],
        [sys.executable, "-m", "granian", "--help"],
        [sys.executable, "-m", "pytest", "--version"],
        [str(BIN / "django-admin"), "check"],
    ],
    ids=["python -m celery", "celery", "granian", "python -m pytest", "django-admin"],
)
def test_other_launchers_see_the_standard_modules(argv: list[str], tmp_path: Path) -> None:
    # Whatever the launcher imports first, this runs last: a site hook that prints where the two modules came from.
    (tmp_path / "sitecustomize.py").write_text(f"import atexit\natexit.register(lambda: exec({PROBE!r}))\n")
    env = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    assert seen_by(argv, env, ROOT) == {STDLIB}


def seen_by(argv: list[str], env: dict[str, str], folder: Path) -> set[Path]:
    result = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "assay.platform.settings", **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        Path(line.removeprefix("stdlib:")).resolve().parent
        for line in result.stdout.split()
        if line.startswith("stdlib:")
    }
