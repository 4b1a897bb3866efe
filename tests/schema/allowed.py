"""Where a check is not asked, and why: a check's complaint passes only where the reply says the very thing named here.

schemathesis's own process loads this file: it imports nothing of the platform.
"""

import re
from dataclasses import dataclass

ACCEPTANCE = "positive_data_acceptance"


@dataclass(frozen=True)
class Allowed:
    check: str
    operations: str
    """Of these, as a pattern for ``GET /path``."""
    says: str
    """A pattern for status and body."""
    reason: str

    def holds(self, checks: tuple[str, ...], operation: str, said: str) -> bool:
        return (
            self.check in checks
            and re.search(self.operations, operation) is not None
            and re.search(self.says, said, re.DOTALL) is not None
        )


ALLOWED = [
    Allowed(
        ACCEPTANCE,
        r".",
        r"^4(00|22) .*(NUL characters are not allowed|cannot hold NUL characters)",
        "Postgres stores no NUL in text or JSON. A schema would have to say so at every string and key.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST /apis/",
        r"^422 .*(Please create the workspace first\.|Referenced resource does not exist)",
        "platform-v2 section 2.1: making something in a workspace that is not there is a 422.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^(POST|PUT) /apis/entities/v2/workspaces/\{name\}/members",
        r"^422 .* is no member of workspace .* name at least one role",
        "platform-v2 section 4: no roles leave a member as they are, so they may be sent; they make nobody a member.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^GET /apis/",
        r"^400 .*([Ff]ilter|Operator '|Invalid \w+ value)",
        "platform-v2 section 2.2: `filter` is a text with a grammar of its own, which no JSON schema can say.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^GET .*/logs$",
        r"^400 .*Give tail, or limit and page_cursor, but not both",
        "platform-v2 section 7: `tail` with `limit` is a 400, and OpenAPI has no word for that.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^GET .*(/logs|/rows)$",
        r"^400 .*cursor",
        "platform-v2 section 7: a cursor is opaque, and one that no page gave is a 400.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^GET .*(/-/\{path\}|/download)$",
        r"^416 .*Invalid range",
        "platform-v2 section 6: a range beyond the end is a 416; how long a file is no schema knows.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^(GET .*/agreement|POST .*/comparisons)$",
        r"^422 \{\"detail\":\"Job '",
        "Which columns and scores a job's rows have is in its data, not in the schema.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST /apis/evaluator/",
        r"^422 .*(The execution profile '.*' specified in|Project '.*' not found in)",
        "Which projects and profiles there are is no schema's to say.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST .*/evaluate/jobs$",
        r"^422 .*\"(extra_forbidden|value_error)\",\"loc\":\[\"body\",\"spec\",\"(params|target|prompt_template)\"",
        "platform-v2 section 8.4: a target, its address, what it is asked and its params are judged together.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST .*/comparisons$",
        r"^422 .*two or more runs, each once",
        "The schema says that they are unique; it is `configuration.py` that puts existing names in one by one.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^(PUT|DELETE) .*/filesets/\{name\}/-/\{path\}$",
        r"^400 .*are on a hub and change there",
        "Whether a fileset's files are a hub's is in its data, not in the schema.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^PATCH /v1/evaluation/results/",
        r"^422 .*What a job found out cannot be changed",
        "Whether a result was posted or is a job's is in its data, not in the schema.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST .*/evaluate/jobs$",
        r"^422 .*is not a reference to a fileset",
        "The schema has a pattern for references; `$` in one lets a last line break pass.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^PATCH .*/evaluate/jobs/\{name\}$",
        r"^422 .*decimal_max_(digits|places)",
        "Dollars have at most 6 places; a schema could say it by multipleOf 0.000001 only, which no float is.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST .*/(evaluate/jobs|metrics/\{name\})$",
        r"^422 .*(Failed to transform|\"payload\",\"metric\")",
        "platform-v2 sections 8.3 and 8.4: a metric is an open object whose meaning (type, templates, patterns) is "
        "judged after its shape; its kinds and their fields are the engine's (docs/metrics.md).",
    ),
    Allowed(
        ACCEPTANCE,
        r"^(POST|PATCH) /v[12]/evaluation/(configs|targets|jobs|live)",
        r"^422 ",
        "microservices-v1 section 5.1: unknown task and metric types, templates, patterns and pairs of target and task "
        "are told as a 422 with every fault; params are free objects to the schema.",
    ),
    Allowed(
        ACCEPTANCE,
        r"^POST .*/filesets$",
        r"^400 .*(not supported yet|local storage is not allowed|not in allowed list|Invalid storage|Secret not found)",
        "platform-v2 section 6: which storages there are, and which hosts may be asked, is the platform's to say.",
    ),
]
