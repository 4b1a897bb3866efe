"""Secrets are looked up by reference in one place, unopened."""

import pytest
from pytest_django import DjangoAssertNumQueries
from things import make_secret

from assay.secrets.store import SecretsMissing, create_secret, look_up
from assay.secrets.vault import open_secret
from assay.workspaces.models import Workspace


def test_a_bare_name_is_one_of_the_home_workspace(
    workspace: Workspace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = Workspace.objects.create(name="w-two")
    here, there = make_secret(workspace, value="here"), make_secret(other, value="there")
    make_secret(workspace, "unasked")
    with django_assert_num_queries(1):
        found = look_up(["key", "w-one/key", "w-two/key"], "w-one")
    assert found == {"key": here, "w-one/key": here, "w-two/key": there}
    assert "sealed" in found["key"].get_deferred_fields()
    assert open_secret(found["w-two/key"]).reveal() == "there"
    assert look_up([], "w-one") == {}


def test_one_that_came_inside_a_body_is_found_by_who_knows_it(workspace: Workspace) -> None:
    inline = create_secret(workspace, "inline-1", "x", None, inline=True)
    assert look_up(["w-one/inline-1"]) == {"w-one/inline-1": inline}


def test_each_that_leads_nowhere_is_named(workspace: Workspace) -> None:
    make_secret(workspace)
    make_secret(Workspace.objects.create(name="w-two"), "only-there")
    with pytest.raises(SecretsMissing) as missing:
        look_up(["key", "only-there", "w-two/key", "a/b/c"], "w-one")
    sentences = [f"Secret '{place}' not found" for place in ("w-one/only-there", "w-two/key", "a/b/c")]
    assert str(missing.value) == "; ".join(sentences)
    with pytest.raises(SecretsMissing):
        look_up(["key"])
