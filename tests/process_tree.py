"""The processes of this machine, as /proc shows them: who started them, what they run, whom they talk to."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

ESTABLISHED = "01"


def command(pid: int) -> str:
    """Return the command line; nothing where the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def in_group(group: int) -> list[int]:
    """Return the ids of the processes of a process group: also of those whose parent is gone."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, group_id = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(group_id) == group and state != "Z":
                found.append(int(folder.name))
    return found


def talks_to(pid: int, port: int) -> bool:
    """Return whether the process has a connection to that port of this machine."""
    sockets = {f"socket:[{inode}]" for inode in _sockets_to(port)}
    with contextlib.suppress(OSError):
        for held in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(held.readlink()) in sockets:
                    return True
    return False


def kill_all(pids: Iterable[int]) -> None:
    """Kill -9; no matter if one of them has ended meanwhile."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _sockets_to(port: int) -> set[str]:
    """Return the inodes of the sockets that are connected to the port."""
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, *rest = line.split()
        if state == ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
            found.add(rest[5])
    return found
