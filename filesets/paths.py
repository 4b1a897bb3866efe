"""The path of a file in a fileset: relative, normalised, and never out of it (platform-v2 section 6)."""

from assay.platform.errors import BadRequest

LONGEST = 1024
LONGEST_NAME = 255
"""Bytes between two slashes: what file systems take, since results and downloads end up on one."""


def folder(path: str) -> str:
    """Return ``path`` as a stored file or folder would have it, empty for the root; raises ``BadRequest``."""
    if "\x00" in path:
        raise BadRequest("A path cannot hold NUL characters.")
    if path.startswith("/"):
        raise _outside(path)
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise _outside(path)
            names.pop()
        elif name not in {"", "."}:
            names.append(name)
    if any(len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME for name in names):
        raise BadRequest(f"A file or folder name cannot be longer than {LONGEST_NAME} bytes.")
    clean = "/".join(names)
    if len(clean) > LONGEST:
        raise BadRequest(f"A path cannot be longer than {LONGEST} characters.")
    return clean


def file(path: str) -> str:
    """Return ``path`` as a stored file has it; raises ``BadRequest``, also for the root."""
    clean = folder(path)
    if not clean:
        raise BadRequest("The path of a file cannot be empty.")
    return clean


def above(path: str) -> list[str]:
    """Return the folders that ``path`` lies in, outermost first."""
    names = path.split("/")[:-1]
    return ["/".join(names[: depth + 1]) for depth in range(len(names))]


def under(path: str, root: str) -> bool:
    """Return whether ``path`` is ``root`` itself or lies in it."""
    return not root or path == root or path.startswith(f"{root}/")


def _outside(path: str) -> BadRequest:
    return BadRequest(
        f"Path '{path}' resolves outside of the storage root. This may indicate a path traversal attack. "
        "Ensure that paths such as ../.. are not used in the path."
    )
