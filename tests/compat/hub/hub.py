"""The Hub as a user of one ``huggingface_hub`` version would use it, against a running platform.

Exit status 0 only if no step failed; ``steps.py`` says what it prints.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import steps_cli as cli
import steps_filesystem as filesystem
import steps_read as read
import steps_write as write
from steps import Step, arguments, take
from tour import Tour


def plan(tour: Tour) -> Iterator[tuple[Step, tuple[Step, ...]]]:
    """Every step in order, each with the steps it cannot do without."""
    made, filled = write.create_repository, (write.create_repository, write.upload_folder)
    yield made, ()
    yield write.upload_small_twice, (made,)
    yield write.upload_big_from_path, (made,)
    yield write.upload_big_from_bytes, (made,)
    full = (write.upload_small_twice, write.upload_big_from_path, write.upload_big_from_bytes, write.upload_folder)
    yield write.upload_folder, full[:3]
    for look in (read.list_in_pages, read.describe, read.download, read.download_snapshot):
        yield look, full
    for names in (read.use_branches, read.use_tags, read.get_typed_errors):
        yield names, full
    yield filesystem.browse_file_system, full
    yield filesystem.read_file_system, full
    yield filesystem.write_file_system, full
    yield write.commit_many_things, full
    yield write.refuse_wrong_commits, (write.commit_many_things,)
    yield write.write_card, filled
    yield read.share_with_files_api, full
    yield read.say_who_asks, (made,)
    yield write.keep_a_model, ()
    if tour.endpoint is None:
        yield cli.use_command_line, full  # commands know no address but that in the environment
    yield write.delete_files, (write.commit_many_things,)
    yield write.squash_history, full
    yield write.move_and_delete_repository, (made,)


def main() -> int:
    asked = arguments(__doc__)
    prefix = f"{asked.base_url}/v1/hf"
    with tempfile.TemporaryDirectory() as folder:
        tour = Tour(
            prefix=prefix,
            endpoint=None if "HF_ENDPOINT" in os.environ else prefix,
            base_url=asked.base_url,
            namespace=asked.workspace,
            folder=Path(folder),
        )
        return take(plan(tour), tour, secret=os.environ.get("HF_TOKEN", "hf_compat"))


if __name__ == "__main__":
    sys.exit(main())
