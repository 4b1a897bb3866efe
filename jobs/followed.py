"""A log as it streams: a JSON object a line as the lines come, and now and then an empty line."""

from typing import Any, Self

import orjson

from assay.jobs.logs import Following, cursor_after
from assay.jobs.models import Job, LogLine
from assay.jobs.steps import task_name
from assay.platform.api import wire_time

MEDIA_TYPE = "application/x-ndjson"


class FollowedLog:
    """The body of a reply; the server closes it when it is sent, or when nobody takes it any more."""

    def __init__(self, job: Job, following: Following) -> None:
        self._job = job
        self._following = following

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        lines = next(self._following)
        written = (orjson.dumps(self._entry(line), option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        return b"".join(written) or b"\n"

    def close(self) -> None:
        self._following.close()

    def _entry(self, line: LogLine) -> dict[str, Any]:
        return {
            "timestamp": wire_time(line.at),
            "job": self._job.name,
            "job_step": line.step,
            "job_task": task_name(self._job, line.step),
            "message": line.message,
            "page_cursor": cursor_after(line),
        }
