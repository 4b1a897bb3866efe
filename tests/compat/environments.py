"""The client versions this suite brings, and a cached virtual environment for each of them."""

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".compat"
UV = "uv==0.13.9"
INSTALL_WITHIN_S = 600


@dataclass(frozen=True)
class Client:
    """One released client, with every package it installs pinned in ``requirements/<package>-<version>.txt``."""

    package: str
    version: str
    pythons: tuple[str, ...] = ("3.11", "3.12", "3.13")

    def __str__(self) -> str:
        return f"{self.package}-{self.version}"

    @property
    def requirements(self) -> Path:
        return HERE / "requirements" / f"{self}.txt"


class Unavailable(Exception):
    """A client's environment could not be made."""


class NoPython(Unavailable):
    """No Python that this client accepts is on this machine."""


def environment(client: Client) -> Path:
    """The Python of an environment that holds this client, made on first use.

    Raises NoPython if no suitable one answers, Unavailable if the install fails.
    """
    base = next((found for wanted in client.pythons if (found := find_python(wanted))), None)
    if base is None:
        raise NoPython(f"{client} needs Python {' or '.join(client.pythons)}; none was found")
    folder = CACHE / str(client)
    python, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = f"{answer(base)}\n{client.requirements.read_text(encoding='utf-8')}"
    with _one_at_a_time():
        if not (python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            uv = _uv()
            _run(uv, "venv", "--quiet", "--python", str(base), str(folder))
            _run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(client.requirements))
            stamp.write_text(wanted, encoding="utf-8")
    return python


def find_python(wanted: str) -> Path | None:
    """A Python of this minor version that really starts: a pyenv shim may exist and still refuse to run."""
    for candidate in _candidates(wanted):
        if (version := answer(candidate)) and version.startswith(f"{wanted}."):
            return candidate
    return None


def answer(python: Path) -> str | None:
    """The full version that this interpreter reports, or None if it does not run."""
    code = "import platform; print(platform.python_version())"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=True, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _candidates(wanted: str) -> Iterator[Path]:
    yield Path(sys.executable)
    for name in (f"python{wanted}", "python3"):
        if found := shutil.which(name):
            yield Path(found)
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run(
            [pyenv, "versions", "--bare"], capture_output=True, text=True, timeout=30
        ).stdout.split()
        for version in reversed([one for one in listed if one.startswith(f"{wanted}.")]):
            prefix = subprocess.run(
                [pyenv, "prefix", version], capture_output=True, text=True, timeout=30
            ).stdout.strip()
            yield Path(prefix) / "bin" / "python"


def _uv() -> str:
    """uv in an environment of its own: it installs these clients several times faster than pip does."""
    folder = CACHE / "uv"
    stamp = folder / "stamp"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == UV):
        venv.create(folder, clear=True, with_pip=True)
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
        stamp.write_text(UV, encoding="utf-8")
    return str(folder / "bin" / "uv")


def _run(*command: str) -> None:
    settings = {"UV_HTTP_TIMEOUT": "120", **os.environ}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S, env=settings)
    except subprocess.TimeoutExpired as late:
        raise Unavailable(f"{' '.join(command[:3])} took more than {INSTALL_WITHIN_S} s") from late
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:3])} failed:\n{(done.stderr or done.stdout)[-2000:]}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two runs of the suite in one checkout must not build the same environment at once."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
