"""What came of the courses, as a table of steps for each subject and the reasons of what failed."""

import os
from dataclasses import dataclass, field
from typing import Any

from tests.compat.courses import Course


@dataclass
class Report:
    """What came of one course."""

    course: Course
    lines: list[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None
    not_run: bool = False

    @property
    def outcomes(self) -> dict[str, str]:
        return {line["step"]: line["outcome"] for line in self.lines}

    @property
    def failed(self) -> bool:
        return bool(self.trouble) or "failed" in self.outcomes.values()

    def add(self, step: str, fault: str | None) -> None:
        self.lines.append({"step": step, "outcome": "failed" if fault else "passed", "error": fault})


def conclude(reports: list[Report]) -> int:
    """Print it all; returns the exit status of the suite."""
    for subject in dict.fromkeys(report.course.subject for report in reports):
        _print_table(subject, [report for report in reports if report.course.subject == subject])
    for report in reports:
        if report.trouble:
            print(f"\n{report.course} {'not run' if report.not_run else 'FAILED'}: {report.trouble}")
        for line in report.lines:
            if line["outcome"] != "passed":
                where = f" (at {line['at']})" if "at" in line else ""
                print(f"\n{report.course} {line['step']} {line['outcome']}: {line['error']}{where}")
    outcomes = [outcome for report in reports for outcome in report.outcomes.values()]
    missing = [report for report in reports if report.trouble]
    excused = [report for report in missing if report.not_run and os.environ.get("CI") != "true"]
    failed = outcomes.count("failed") + len(missing) - len(excused)
    if outcomes or failed:
        skipped = outcomes.count("skipped") + len(excused)
        print(f"\n{outcomes.count('passed')} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or outcomes.count("skipped") else 0


def _print_table(subject: str, reports: list[Report]) -> None:
    places = [(step, place) for report in reports for place, step in enumerate(report.outcomes)]
    steps = list(dict.fromkeys(step for step, _ in sorted(places, key=lambda one: -one[1])))[::-1]
    if steps:
        print("\n" + " ".join([f"{subject:30}", *(f"{report.course.label:>8}" for report in reports)]))
    for step in steps:
        print(" ".join([f"{step:30}", *(f"{report.outcomes.get(step, '-'):>8}" for report in reports)]))
