"""What the explorer's address asks for, and back: every view of the rows has an address of its own, to be passed on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from assay.ui.job_scores import JobScore
from assay.ui.row_road import NUMBERS, Place, Wanted
from assay_sdk.engine.result import ScoreState

LONGEST_TEXT = 200
STATES = {"": "All rows", "scored": "Fully scored", "unscored": "Not fully scored"}
REASONS = [state.value for state in ScoreState if state is not ScoreState.SCORED]
END = "end"
FIELDS = ("state", "score", "from", "to", "label", "text", "sort")


@dataclass(frozen=True)
class Asked:
    wanted: Wanted
    place: Place = Place()
    wrong: dict[str, str] = field(default_factory=dict)
    """What is amiss, by the field that it is in; such a field is left out of account."""
    fields: dict[str, str] = field(default_factory=dict)
    """What the form holds."""

    def address(self, **changed: str) -> str:
        """Return the query of this view, with some fields changed and with its place if these say one."""
        return urlencode({name: value for name, value in {**self.fields, **changed}.items() if value})

    def at(self, place: Place | None) -> str | None:
        """Return the query of the page that begins there."""
        if place is None:
            return None
        side = "after" if place.forwards else "before"
        return self.address(**{side: str(place) if place.row is not None else "" if place.forwards else END})

    @property
    def narrowed(self) -> bool:
        """Return whether some rows are left out."""
        return any(value for name, value in self.fields.items() if name not in {"sort", "score"})


def read(query: Mapping[str, str], scores: Sequence[JobScore]) -> Asked:
    """Return what an address asks for of a job with these scores."""
    wrong: dict[str, str] = {}
    by_name = {score.full: score for score in scores}
    given = {name: query.get(name, "").strip()[:LONGEST_TEXT] for name in FIELDS}
    state = given["state"]
    if state not in {*STATES, *REASONS}:
        wrong["state"], state = f"There is no state {state}.", ""
    low, high = (_number(given[name], name, wrong) for name in ("from", "to"))
    if low is not None and high is not None and low > high:
        wrong["to"] = "The range ends below its beginning, so that no row is in it."
    sort, falling = given["sort"].removeprefix("-"), given["sort"].startswith("-")
    if sort not in {"", "row", *by_name}:
        wrong["sort"], sort, falling = f"There is no score {sort}.", "", False
    score = by_name.get(given["score"]) or next((score for score in scores if score.main), None)
    if given["score"] not in {"", *by_name}:
        wrong["score"] = f"There is no score {given['score']}."
    wanted = Wanted(
        state=state,
        score=score,
        low=low if score else None,
        high=high if score else None,
        label=_label(given["label"], by_name, wrong),
        text=given["text"],
        sort=by_name.get(sort),
        falling=falling,
    )
    return Asked(wanted, _place(query, wrong), wrong, given)


def _number(text: str, name: str, wrong: dict[str, str]) -> float | None:
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    wrong[name] = "This is not a number."
    return None


def _label(text: str, scores: Mapping[str, JobScore], wrong: dict[str, str]) -> tuple[JobScore, str] | None:
    """Return the score and its label in ``score=label``."""
    for name, score in scores.items():
        if text.startswith(f"{name}=") and text.removeprefix(f"{name}=") in (score.labels or {}):
            return score, text.removeprefix(f"{name}=")
    if text:
        wrong["label"] = f"There is no label {text}."
    return None


def _place(query: Mapping[str, str], wrong: dict[str, str]) -> Place:
    after, before, start = (query.get(name, "").strip() for name in ("after", "before", "start"))
    try:
        if start:
            return Place(True, max(-1, min(int(start) - 1, NUMBERS)))
        if before == END:
            return Place(False)
        if before:
            return Place.read(before, forwards=False)
        return Place.read(after) if after else Place()
    except ValueError:
        wrong["start"] = "This is not a place among the rows; here is the first page."
        return Place()
