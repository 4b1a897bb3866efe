"""A Postgres server of a test's own, which it may restart as it likes."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.platform_process import free_port
from tests.services import program

OWNER = "nobody"
"""Who runs the server where we are root, which it refuses to be run by."""


class PostgresProcess:
    """A context manager: a fresh cluster in a folder for temporary files, on a free port; nothing of it stays."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        self._folder = Path()
        self._programs = {name: program(name, "Postgres") for name in ("initdb", "pg_ctl")}

    def restart(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop it and start it: ``fast`` cuts every connection, ``immediate`` is a crash that it recovers from."""
        self._run("pg_ctl", "restart", "-m", mode, *self._control)

    @property
    def _control(self) -> list[str]:
        return ["-w", "-t", "30", "-s", "-D", str(self._folder / "data"), "-l", str(self._folder / "log")]

    def _run(self, name: str, *arguments: str) -> None:
        user = pwd.getpwnam(OWNER) if os.getuid() == 0 else None
        subprocess.run(
            [self._programs[name], *arguments],
            cwd=self._folder,
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=[] if user else None,
            # pg_ctl's server keeps what it is given: a pipe would never end.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="assay-postgres-"))
        if os.getuid() == 0:
            shutil.chown(self._folder, OWNER)
        try:
            data = str(self._folder / "data")
            self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "-D", data)
            # A crash of the server is no crash of the machine: what it wrote is there, synced or not.
            options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
            self._run("pg_ctl", "start", "-o", options, *self._control)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._run("pg_ctl", "stop", "-m", "immediate", *self._control)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
