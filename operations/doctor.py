"""Is this platform well? Every check says what is wrong, why it matters and how to mend it; no finding: all is well."""

from collections.abc import Iterator

from assay.operations.checks import contents, database, machine, running, settings_read
from assay.operations.checks.finding import Check, Depth, Finding

STAGES: tuple[dict[str, Check], ...] = (
    {
        "packages": machine.packages,
        "data folder": machine.data_folder,
        "keys": machine.key_files,
        "disk": machine.disk,
        "static files": machine.static_files,
        "settings": settings_read.risks,
        "egress": settings_read.egress_lists,
        "broker": running.broker,
        "database": database.answers,
    },
    {"migrations": database.migrations},
    {
        "integrity": database.integrity,
        "counts": database.counts,
        "clocks": database.clocks,
        "audit": database.events,
        "workers": running.workers,
        "sweeps": running.sweeps,
        "shards": running.shards,
        "machines": running.machines,
        "secrets": contents.secrets,
        "files": contents.files,
        "rows": contents.rows,
        "results": contents.results,
        "metrics": contents.metrics,
        "hubs": contents.hubs,
    },
)
"""Each stage stands on the last check of the one before."""


def examine(depth: Depth) -> Iterator[Finding]:
    """Yield what is wrong. Without a database, or with one of another schema, what is in it is not looked at."""
    for stage in STAGES:
        ground = list(stage)[-1]
        for name, check in stage.items():
            found = list(_looked_at(name, check, depth))
            yield from found
            if found and name == ground:
                return


def _looked_at(name: str, check: Check, depth: Depth) -> Iterator[Finding]:
    try:
        for what, why, mend in check(depth):
            yield Finding(name, what, why, mend)
    except Exception as error:  # whatever it is, the other checks are worth their while
        why = "What it would have found is not known."
        yield Finding(name, f"The check itself failed: {error}", why, "Mend what it says, and look again.")
