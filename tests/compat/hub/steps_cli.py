"""The tour's step on the command line: ``hf``, and ``huggingface-cli`` as it was before."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from steps import expect, expect_equal
from tour import BIG_FROM_BYTES, Tour, noise

COMMAND_WITHIN_S = 60


def use_command_line(tour: Tour) -> dict[str, Any]:
    """Create, upload a file and a folder, download, tag, delete: every command must end with status 0."""
    repo = f"{tour.namespace}/by-command"
    up, down = tour.folder / "cli", tour.folder / "cli down"
    (up / "sub").mkdir(parents=True)
    (up / "a #1.txt").write_bytes(b"one\n")
    (up / "sub" / "big.bin").write_bytes(noise(4))
    typed, ran = ("--repo-type", "dataset"), Commands(tour.release)
    ran.run("auth whoami")
    ran.run("repos create", repo, *typed)
    ran.run("upload", repo, str(up / "a #1.txt"), "top level.txt", *typed)
    ran.run("upload", repo, str(up), ".", *typed, "--commit-message", "A folder")
    ran.run("download", repo, "top level.txt", *typed, "--local-dir", str(down))
    ran.run("download", repo, *typed, "--local-dir", str(down))
    got = {path.relative_to(down).as_posix(): path.read_bytes() for path in down.rglob("*") if path.is_file()}
    got = {path: content for path, content in got.items() if not path.startswith(".cache")}
    wanted = {"top level.txt": b"one\n", "a #1.txt": b"one\n", "sub/big.bin": noise(4)}
    expect_equal(sorted(got), sorted(wanted), "files downloaded by command")
    expect(got == wanted, "a file came back changed")
    ran.run("repos tag create", repo, "v1", *typed)
    expect("v1" in ran.run("repos tag list", repo, *typed), "the tag is not listed")
    ran.run("repos delete-files", repo, "sub/*", *typed)
    expect_equal(tour.api.list_repo_files(repo, repo_type="dataset"), ["a #1.txt", "top level.txt"], "files left")
    if tour.release >= (1, 0):
        expect(
            "by-command" in ran.run("datasets ls", "--author", tour.namespace, "--format", "json"),
            "the dataset is not listed",
        )
        expect(repo in ran.run("datasets info", repo, "--format", "json"), "the dataset is not described")
        ran.run("repos branch create", repo, "dev/cli", *typed)
        ran.run("repos delete", repo, *typed, "--yes")
    else:
        tour.api.delete_repo(repo, repo_type="dataset")
    expect(BIG_FROM_BYTES in tour.api.list_repo_files(**tour.data), "another repository lost its files")
    return {"commands": ran.count}


class Commands:
    """Runs commands as this version spells them; names here are those of the newest."""

    def __init__(self, release: tuple[int, ...]) -> None:
        self.release = release
        self.count = 0

    def run(self, command: str, *arguments: str) -> str:
        """The command's output; anything but status 0 breaks the step."""
        program = "huggingface-cli" if self.release < (0, 34) else "hf"
        line = [str(Path(sys.executable).with_name(program)), *self._spelled(command, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=COMMAND_WITHIN_S, env=dict(os.environ))
        told = f"{program} {' '.join(line[1:])} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-800:]}"
        expect(done.returncode == 0, told)
        self.count += 1
        return done.stdout

    def _spelled(self, command: str, arguments: tuple[str, ...]) -> list[str]:
        if self.release >= (1, 0):
            return [*command.split(), *arguments]
        if command == "repos delete-files":
            repo, pattern, *options = arguments
            start = [repo, "delete"] if self.release < (0, 34) else ["delete", repo]
            return ["repo-files", *start, pattern, *options]
        if self.release >= (0, 34):
            return [*command.replace("repos", "repo").split(), *arguments]
        match command:
            case "auth whoami":
                return ["whoami"]
            case "repos create":
                namespace, name = arguments[0].split("/")
                return ["repo", "create", name, "--type", "dataset", "--organization", namespace, "--yes"]
            case "repos tag create":
                return ["tag", *arguments, "--yes"]
            case "repos tag list":
                return ["tag", *arguments, "--list"]
        return [command, *arguments]
