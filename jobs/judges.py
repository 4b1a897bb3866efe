"""Which models judge a job's rows."""

import orjson

from assay.jobs.models import Job
from assay.jobs.packs import whole_rows

STAND_IN = "assay-stand-in-judge"
"""What the stand-in judge that comes with the platform calls itself, whatever name it is asked under."""


def judges_of(job: Job) -> list[str]:
    """Return the names of the models in the job's metrics, each once."""
    asked = [part for metric in job.metrics for part in (metric, metric.get("judge") or {}, *metric.get("judges", ()))]
    names = [(part.get("model") or {}).get("name") for part in asked]
    return list(dict.fromkeys(name for name in names if name))


def judged_by_stand_in(job: Job) -> bool:
    """Return whether a metric names the stand-in, or the first reply came from it."""
    if STAND_IN in judges_of(job):
        return True
    first = next(whole_rows(job), None)
    calls = orjson.loads(first[-1]).get("requests") or [] if first else []
    return any((call.get("response") or {}).get("model") == STAND_IN for call in calls)
