"""The tutorial's steps on workspaces, secrets, filesets and files, and the tidying up at its end."""

import hashlib
from typing import Any

from lesson import FILESET, RESPONSE_ROWS, SECRET, SECRET_VALUE, Lesson
from nemo_platform import ConflictError, NotFoundError
from nemo_platform.types.files import HuggingfaceStorageConfigParam
from steps import expect, expect_equal, expect_refused

COLUMNS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
NOTES = "notes"


def create_workspace(lesson: Lesson) -> None:
    made = lesson.client.workspaces.create(name=lesson.workspace, description="compatibility")
    expect_equal((made.name, made.description), (lesson.workspace, "compatibility"), "created workspace")
    expect_equal(lesson.client.workspaces.retrieve(lesson.workspace).id, made.id, "workspace read back")
    listed = [workspace.name for workspace in lesson.client.workspaces.list()]
    expect(lesson.workspace in listed and "default" in listed, f"workspaces listed: {listed}")


def duplicate_workspace(lesson: Lesson) -> dict[str, Any]:
    said = expect_refused(409, lambda: lesson.client.workspaces.create(name=lesson.workspace), ConflictError)
    lesson.client.workspaces.create(name=lesson.workspace, exist_ok=True)
    return {"said": said}


def create_secret(lesson: Lesson) -> dict[str, Any]:
    secrets = lesson.client.secrets
    made = secrets.create(name=SECRET, value=SECRET_VALUE)
    expect_equal((made.name, made.workspace), (SECRET, lesson.workspace), "created secret")
    expect(SECRET_VALUE not in made.model_dump_json(), "the reply to a new secret shows its value")
    expect(SECRET_VALUE not in secrets.retrieve(SECRET).model_dump_json(), "a secret read back shows its value")
    expect_equal([secret.name for secret in secrets.list()], [SECRET], "secrets listed")
    return {"said": expect_refused(409, lambda: secrets.create(name=SECRET, value="other"), ConflictError)}


def create_fileset(lesson: Lesson) -> dict[str, Any]:
    properties = {"prompt": {"type": "string"}, "response": {"type": "string"}}
    properties |= {name: {"type": "number"} for name in COLUMNS}
    schema = {"type": "object", "properties": properties, "required": ["prompt", "response"]}
    storage = HuggingfaceStorageConfigParam(
        type="huggingface", repo_id="nvidia/HelpSteer2", repo_type="dataset", endpoint=lesson.hub_url
    )
    create = lesson.client.files.filesets.create
    made = create(name=FILESET, description="HelpSteer2", storage=storage, metadata={"dataset": {"schema": schema}})
    expect_equal(made.storage.type, "huggingface", "storage type")
    expect_equal(made.storage.original_revision, "main", "asked revision")
    expect_equal(made.storage.revision, lesson.hub_revision, "pinned commit")
    expect_equal(made.metadata.model_dump(by_alias=True)["dataset"]["schema"], schema, "row schema")
    said = expect_refused(409, lambda: create(name=FILESET, storage=storage), ConflictError)
    return {"said": said}


def read_hub_files(lesson: Lesson) -> dict[str, Any]:
    files = lesson.client.files
    listed = {file.path: file.size for file in files.list(fileset=FILESET).data}
    expect({RESPONSE_ROWS, "train.jsonl.gz", "README.md"} <= set(listed), f"hub files listed: {sorted(listed)}")
    content = files.download_content(remote_path=RESPONSE_ROWS, fileset=FILESET)
    expect_equal(len(content), listed[RESPONSE_ROWS], "size of the downloaded file")
    return {"files": len(listed), "sha256": hashlib.sha256(content).hexdigest()}


def upload_and_download(lesson: Lesson) -> dict[str, Any]:
    client, files = lesson.client, lesson.client.files
    client.files.filesets.create(name=NOTES, purpose="dataset")
    local = lesson.folder / "up" / "päper 1.txt"
    local.parent.mkdir()
    local.write_bytes(bytes(range(256)) * 4096)
    files.upload_content(content=b"one\n", remote_path="a/one.txt", fileset=NOTES)
    files.upload_content(content=b"one again\n", remote_path="a/one.txt", fileset=NOTES)
    expect_equal(
        files.upload(local_path=str(local), remote_path=f"b/{local.name}", fileset=NOTES).name, NOTES, "fileset"
    )
    listed = {file.path: file.size for file in files.list(fileset=NOTES).data}
    expect_equal(listed, {"a/one.txt": 10, f"b/{local.name}": 4096 * 256}, "files listed")
    expect_equal(
        [file.path for file in files.list(fileset=NOTES, remote_path="a/").data], ["a/one.txt"], "folder listed"
    )
    expect_equal(files.download_content(remote_path="a/one.txt", fileset=NOTES), b"one again\n", "overwritten file")
    files.download(remote_path=f"b/{local.name}", fileset=NOTES, local_path=str(lesson.folder / "down.bin"))
    expect((lesson.folder / "down.bin").read_bytes() == local.read_bytes(), "a file came back changed")
    return {"bytes": local.stat().st_size}


def delete_files(lesson: Lesson) -> None:
    files = lesson.client.files
    files.delete(remote_path="a/one.txt", fileset=NOTES)
    expect(all(file.path != "a/one.txt" for file in files.list(fileset=NOTES).data), "a deleted file is still listed")
    try:
        files.download_content(remote_path="a/one.txt", fileset=NOTES)
    except Exception as gone:  # a FileNotFoundError or the client's own error, by version
        expect("one.txt" in str(gone) or "404" in str(gone), f"reading a deleted file: {gone!r}")
    else:
        expect(False, "a deleted file could still be read")
    lesson.client.files.filesets.delete(NOTES)
    expect_refused(404, lambda: lesson.client.files.filesets.retrieve(NOTES), NotFoundError)


def refuse_early_deletes(lesson: Lesson) -> dict[str, Any]:
    """The tutorial deletes its workspace too early on purpose, to show that nothing is lost by accident."""
    client = lesson.client
    said = expect_refused(409, lambda: client.workspaces.delete(lesson.workspace), ConflictError)
    expect_refused(409, lambda: client.files.filesets.delete(FILESET), ConflictError)
    expect_refused(409, lambda: client.secrets.delete(SECRET), ConflictError)
    expect_equal(
        client.workspaces.retrieve(lesson.workspace).name, lesson.workspace, "workspace after a refused delete"
    )
    return {"said": said}


def delete_jobs(lesson: Lesson) -> dict[str, Any]:
    names = [job.name for job in lesson.client.jobs.list()]
    expect(set(names) >= {job.name for job in lesson.jobs.values()}, f"jobs listed before deleting them: {names}")
    for name in names:
        lesson.client.jobs.delete(name)
        expect_refused(404, lambda name=name: lesson.client.jobs.retrieve(name), NotFoundError)
    expect_equal([job.name for job in lesson.client.jobs.list()], [], "jobs left")
    return {"deleted": len(names)}


def delete_fileset(lesson: Lesson) -> None:
    expect_equal(lesson.client.files.filesets.delete(FILESET).name, FILESET, "deleted fileset")
    left = [fileset.name for fileset in lesson.client.files.filesets.list()]
    expect_equal(left, [], "filesets left (a job's own fileset goes with the job)")


def delete_secret(lesson: Lesson) -> None:
    lesson.client.secrets.delete(SECRET)
    expect_refused(404, lambda: lesson.client.secrets.retrieve(SECRET), NotFoundError)


def delete_workspace(lesson: Lesson) -> None:
    lesson.client.workspaces.delete(lesson.workspace)
    expect_refused(404, lambda: lesson.client.workspaces.retrieve(lesson.workspace), NotFoundError)
    listed = [workspace.name for workspace in lesson.client.workspaces.list()]
    expect(lesson.workspace not in listed, "a deleted workspace is still listed")
