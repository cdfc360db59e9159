"""Tokens, connections, and who one is."""

from django.contrib.auth import get_user_model

from tests import make
from tests.api.client import bearer, person, program
from workflows.models import ApiToken, Connection, Membership
from workflows.storage import doors


def test_a_token_is_shown_once_works_and_is_revoked() -> None:
    owner = person("owner")
    made = owner.expect(201, "POST", "tokens", {"name": "ci", "scopes": ["flows:read"]})
    assert owner.answer["Cache-Control"] == "no-store"
    row = owner.all("tokens")[0]
    assert "token" not in row and made["token"].startswith(row["prefix"])
    api = bearer(made["token"])
    api.expect(200, "GET", "flows")
    owner.expect(204, "DELETE", f"tokens/{row['id']}")
    api.expect(401, "GET", "flows")
    owner.expect(404, "DELETE", f"tokens/{row['id']}")
    assert row["id"] not in [one["id"] for one in owner.all("tokens")]
    for scopes in ([], ["everything"], "admin"):
        owner.expect(422, "POST", "tokens", {"name": "x", "scopes": scopes})
    assert ApiToken.objects.filter(revoked_at=None).count() == 0


def test_a_connections_secret_goes_in_and_never_comes_out() -> None:
    owner = person("owner")
    owner.expect(201, "POST", "connections", {"name": "hub", "secret": " s3cret ", "note": "n"})
    assert doors.secret_of(make.workspace().pk, "hub") == " s3cret "
    owner.expect(409, "POST", "connections", {"name": "hub", "secret": "x"})
    owner.expect(200, "PUT", "connections/hub", {"secret": "n3w"})
    assert doors.secret_of(make.workspace().pk, "hub") == "n3w"
    owner.expect(422, "PUT", "connections/hub", {"note": "only"})
    owner.expect(422, "POST", "connections", {"name": "a b", "secret": "x"})
    (row,) = owner.all("connections")
    assert sorted(row) == ["name", "note", "updated_at"]
    owner.expect(204, "DELETE", "connections/hub")
    owner.expect(404, "DELETE", "connections/hub")
    assert not Connection.objects.exists()


def test_one_learns_who_one_is_and_where() -> None:
    other = make.workspace("other")
    viewer = person("viewer", other, "ada")  # not a member of main
    place = {"slug": "other", "name": "other", "role": "viewer"}
    me = {"username": "ada", "scopes": None, "workspaces": [place]}
    assert viewer.expect(200, "GET", "me") == me
    assert viewer.all("workspaces") == [place]
    api = program("flows:read", "traces:read", space=other)
    assert api.expect(200, "GET", "me") == {
        "username": None,
        "scopes": ["flows:read", "traces:read"],
        "workspaces": [{**place, "role": None}],
    }


def test_a_demoted_person_may_do_less_at_once() -> None:
    api = person("editor")
    api.expect(201, "POST", "flows", {"slug": "a", "name": "A"})
    Membership.objects.update(role="viewer")
    assert api.expect(403, "POST", "flows", {"slug": "b", "name": "B"})["role"] == "editor"
    get_user_model().objects.update(is_active=False)
    api.expect(401, "GET", "flows")


def test_node_types_are_listed_and_shown() -> None:
    api = program("flows:read")
    types = [row["type"] for row in api.all("nodes?limit=3")]
    assert types == sorted(types) and "filter.condition" in types
    one = api.expect(200, "GET", "nodes/filter.condition")
    assert one["schema"]["properties"]["condition"]
    api.expect(404, "GET", "nodes/filter.nothing")
