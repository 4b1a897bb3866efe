"""How people say what an endpoint allows: by the command, and in the admin."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from assay.jobs.models import Terms

pytestmark = pytest.mark.django_db

URL = "https://api.example.com/v1/chat/completions?key=x"
ADDRESS = "https://api.example.com/v1"


def terms(*words: str) -> str:
    said = StringIO()
    call_command("terms", *words, stdout=said)
    return said.getvalue()


def test_terms_are_set_listed_changed_and_removed() -> None:
    terms("set", URL, "--rpm", "120", "--in-flight", "4")
    terms("set", URL, "--model", "large", "--tpm", "50000", "--price-in", "0.5")
    assert terms("list").splitlines() == [
        f"{ADDRESS} (all models): requests_per_minute 120, calls_in_flight 4",
        f"{ADDRESS} large: tokens_per_minute 50000, price_in 0.500000",
    ]
    assert terms("set", ADDRESS, "--in-flight", "0") == f"{ADDRESS} (all models): requests_per_minute 120\n"
    terms("remove", URL)
    assert Terms.objects.get().model == "large"


@pytest.mark.parametrize(
    "words", [["set", URL], ["set", URL, "--rpm", "-1"], ["remove", URL], ["set", URL, "--rpm", "many"]]
)
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError):
        terms(*words)
    assert not Terms.objects.exists()


def test_terms_are_edited_in_the_admin() -> None:
    browser = Client(HTTP_HOST="localhost")
    reply = browser.post(reverse("admin:jobs_terms_add"), {"address": URL, "model": "", "requests_per_minute": 60})
    assert reply.status_code == 302
    said = Terms.objects.get()
    assert (said.address, said.requests_per_minute) == (ADDRESS, 60)
    row = {"form-0-id": said.pk, "form-0-requests_per_minute": 90, "form-0-calls_in_flight": 3}
    counts = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "_save": "Save"}
    assert browser.post(reverse("admin:jobs_terms_changelist"), {**row, **counts}).status_code == 302
    said.refresh_from_db()
    assert (said.requests_per_minute, said.calls_in_flight) == (90, 3)
    again = browser.post(reverse("admin:jobs_terms_add"), {"address": ADDRESS, "model": ""})
    assert again.status_code == 200, "there are such terms already"
