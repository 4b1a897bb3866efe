"""Filesets and the files in them."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from assay_sdk.client.call import Body, Call, Paged, fields, file_path, filter_text, many, nothing, one, path, whole
from assay_sdk.client.transport import AsyncTransport, Transport
from assay_sdk.client.twins import AsyncResource, Awaits, Lists, ListsAsync, Resource, Sends
from assay_sdk.client.values import File, Fileset, FilesetRef, Storage

AnyFileset = str | FilesetRef | Fileset
"""A fileset by name, by ``workspace/name``, by reference, or itself."""


class FilesetCalls:
    """Requests about filesets."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace

    def path(self, workspace: str | None, *more: str) -> str:
        """Return the address of the filesets of a workspace, or of something below."""
        return path("apis", "files", "v2", "workspaces", workspace or self.workspace, "filesets", *more)

    def create(
        self,
        name: str,
        *,
        storage: Storage | None = None,
        description: str | None = None,
        purpose: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        custom_fields: Mapping[str, Any] | None = None,
        project: str | None = None,
        workspace: str | None = None,
    ) -> Call[Fileset]:
        """Make a fileset: an empty one to upload to, or with ``storage`` a pinned view of files that lie elsewhere.

        Raises ``ConflictError`` if the name is taken, ``BadRequestError`` if the storage cannot be reached.
        """
        body = fields(
            name=name,
            storage=storage.model_dump(exclude_none=True) if storage else None,
            description=description,
            purpose=purpose,
            metadata=metadata,
            custom_fields=custom_fields,
            project=project,
        )
        return Call("POST", self.path(workspace), one(Fileset), json=body)

    def retrieve(self, name: str, *, workspace: str | None = None) -> Call[Fileset]:
        """Return a fileset. Raises ``NotFoundError``."""
        return Call("GET", self.path(workspace, name), one(Fileset))

    def update(
        self,
        name: str,
        *,
        description: str | None = None,
        purpose: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        custom_fields: Mapping[str, Any] | None = None,
        project: str | None = None,
        workspace: str | None = None,
    ) -> Call[Fileset]:
        """Change what is noted about a fileset; name and storage stay."""
        body = fields(
            description=description, purpose=purpose, metadata=metadata, custom_fields=custom_fields, project=project
        )
        return Call("PATCH", self.path(workspace, name), one(Fileset), json=body, harmless=True)

    def refresh(self, name: str, *, workspace: str | None = None) -> Call[Fileset]:
        """Pin the fileset anew to what its branch or tag now points to. Raises ``ConflictError`` if it follows none."""
        return Call("POST", self.path(workspace, name, "refresh"), one(Fileset), harmless=True)

    def delete(self, name: str, *, cascade: bool = False, workspace: str | None = None) -> Call[None]:
        """Delete a fileset.

        Raises ``ConflictError`` while a job refers to it; with ``cascade`` these jobs go first.
        """
        return Call("DELETE", self.path(workspace, name), nothing, {"cascade": cascade or None})

    def list(
        self, *, filter: Mapping[str, object] | None = None, sort: str | None = None, workspace: str | None = None
    ) -> Paged[Fileset]:
        """Iterate over the filesets of a workspace, newest first."""
        return Paged(self.path(workspace), Fileset.model_validate, {"filter": filter_text(filter), "sort": sort})


class FileCalls:
    """Requests about files."""

    def __init__(self, workspace: str) -> None:
        self.filesets = FilesetCalls(workspace)

    def _fileset(self, fileset: AnyFileset) -> str:
        ref = fileset.ref if isinstance(fileset, Fileset) else FilesetRef(root=str(fileset))
        return self.filesets.path(*ref.place(self.filesets.workspace))

    def upload(self, fileset: AnyFileset, file: bytes | str | Path | BinaryIO, path: str | None = None) -> Call[File]:
        """Store a file in a fileset, over the one of that name if there is one.

        ``file`` is the content as bytes, the path of a local file, or an open binary file; the latter two are sent
        piece by piece. ``path`` is its name in the fileset: the local file's own name if absent.
        """
        name = path or (None if isinstance(file, bytes) else Path(str(getattr(file, "name", file))).name)
        if not name:
            raise ValueError("content without a name: say under which path to store it")
        address = f"{self._fileset(fileset)}/-/{file_path(name)}"
        return Call("PUT", address, one(File), body=Body(file))

    def read(self, fileset: AnyFileset, path: str) -> Call[bytes]:
        """Return a file's content. Raises ``NotFoundError``. For large files see ``download``."""
        return Call("GET", f"{self._fileset(fileset)}/-/{file_path(path)}", whole, accept="*/*")

    def delete(self, fileset: AnyFileset, path: str) -> Call[None]:
        """Delete a file. Raises ``NotFoundError``."""
        return Call("DELETE", f"{self._fileset(fileset)}/-/{file_path(path)}", nothing)

    def list(self, fileset: AnyFileset, *, path: str | None = None) -> Call[tuple[File, ...]]:
        """Return the files of a fileset, or those below a folder."""
        return Call("GET", f"{self._fileset(fileset)}/files", many(File), {"path": path})


class Filesets(Resource[FilesetCalls]):
    """Named, pinned collections of files."""

    create = Sends(FilesetCalls.create)
    retrieve = Sends(FilesetCalls.retrieve)
    update = Sends(FilesetCalls.update)
    refresh = Sends(FilesetCalls.refresh)
    delete = Sends(FilesetCalls.delete)
    list = Lists(FilesetCalls.list)


class AsyncFilesets(AsyncResource[FilesetCalls]):
    """Named, pinned collections of files."""

    create = Awaits(FilesetCalls.create)
    retrieve = Awaits(FilesetCalls.retrieve)
    update = Awaits(FilesetCalls.update)
    refresh = Awaits(FilesetCalls.refresh)
    delete = Awaits(FilesetCalls.delete)
    list = ListsAsync(FilesetCalls.list)


class Files(Resource[FileCalls]):
    """The files in filesets. Keep in step with ``AsyncFiles``."""

    def __init__(self, workspace: str, transport: Transport) -> None:
        super().__init__(FileCalls(workspace), transport)
        self.filesets = Filesets(self._calls.filesets, transport)

    upload = Sends(FileCalls.upload)
    read = Sends(FileCalls.read)
    delete = Sends(FileCalls.delete)
    list = Sends(FileCalls.list)

    def stream(self, fileset: AnyFileset, path: str) -> Iterator[bytes]:
        """Yield a file's content piece by piece; a connection that breaks is taken up again where it broke."""
        return self._transport.stream(self._calls.read(fileset, path))

    def download(self, fileset: AnyFileset, path: str, to: str | Path) -> Path:
        """Store a file locally, piece by piece, and return where.

        ``to`` is its path, or a folder in which it keeps its name. The file appears there when it is whole.
        """
        with Arriving(to, path) as arriving:
            for chunk in self.stream(fileset, path):
                arriving.write(chunk)
        return arriving.target


class AsyncFiles(AsyncResource[FileCalls]):
    """The files in filesets. Keep in step with ``Files``."""

    def __init__(self, workspace: str, transport: AsyncTransport) -> None:
        super().__init__(FileCalls(workspace), transport)
        self.filesets = AsyncFilesets(self._calls.filesets, transport)

    upload = Awaits(FileCalls.upload)
    read = Awaits(FileCalls.read)
    delete = Awaits(FileCalls.delete)
    list = Awaits(FileCalls.list)

    def stream(self, fileset: AnyFileset, path: str) -> AsyncIterator[bytes]:
        """Yield a file's content piece by piece; a connection that breaks is taken up again where it broke."""
        return self._transport.stream(self._calls.read(fileset, path))

    async def download(self, fileset: AnyFileset, path: str, to: str | Path) -> Path:
        """Store a file locally, piece by piece, and return where.

        ``to`` is its path, or a folder in which it keeps its name. The file appears there when it is whole.
        """
        with Arriving(to, path) as arriving:
            async for chunk in self.stream(fileset, path):
                arriving.write(chunk)
        return arriving.target


class Arriving:
    """A file on its way: written beside its place, and put there once it is whole."""

    def __init__(self, to: str | Path, name: str) -> None:
        place = Path(to)
        self.target = place / name.rsplit("/", 1)[-1] if place.is_dir() else place
        self._part = self.target.with_name(f".{self.target.name}.{os.getpid()}.part")

    def __enter__(self) -> "Arriving":
        self._file = self._part.open("wb")
        return self

    def write(self, chunk: bytes) -> None:
        """Add the next piece."""
        self._file.write(chunk)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            self._part.replace(self.target)
        else:
            self._part.unlink(missing_ok=True)
