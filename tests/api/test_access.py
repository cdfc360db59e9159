"""Nobody sees or changes what isn't theirs: every address and method of the API is tried."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.core import serializers
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

from tests import make
from tests.api.client import Api, bearer, nobody, person, program
from workflows.api.schema import told_of
from workflows.models import (
    ApiToken,
    Channel,
    Connection,
    DeadLetter,
    Draft,
    Event,
    Flow,
    FlowVersion,
    Gate,
    Redrive,
    Replay,
    Subscription,
)
from workflows.storage import channels, gates, people, redrives, replays
from workflows.storage.deadgroups import Wanted
from workflows.storage.replays import Wish
from workflows.storage.seal import seal

pytestmark = pytest.mark.sqlite_alone

OPEN = {"api/v1/schema", "api/docs"}  # these say nothing about anybody's data
WORKSPACELESS = {"api/v1/me", "api/v1/workspaces"}


class Door(NamedTuple):
    """One method of one address; `route` has the names of its parts."""

    method: str
    route: str
    scope: str
    role: str

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def _patterns(patterns: Any, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for one in patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            found += _patterns(one.url_patterns, route)
        elif isinstance(one, URLPattern) and route.startswith("api/") and route not in OPEN:
            found.append((route, one.callback.cls))  # type: ignore[attr-defined]
    return found


def _doors() -> list[Door]:
    out = []
    for route, view in _patterns(get_resolver().url_patterns):
        for method in ("get", "post", "put", "patch", "delete"):
            if hasattr(view, method):
                told = told_of(view, method)
                assert told is not None, f"{method} {route} doesn't say who may call it"
                out.append(Door(method.upper(), route, told.need.scope, told.need.role))
    return out


DOORS = _doors()
WITH_NAMES = [door for door in DOORS if "<" in door.route]
BODIES = {
    "flows": {"slug": "new-one", "name": "N"},
    "flows/<str:slug>": {"name": "Taken over"},
    "flows/<str:slug>/draft": {"document": make.order_document()},
    "flows/<str:slug>/state": {"paused": True},
    "flows/import": {**make.order_document("fresh")},
    "channels": {"slug": "new-one"},
    "channels/<str:slug>": {"name": "Taken over"},
    "tokens": {"name": "n", "scopes": ["admin"]},
    "connections": {"name": "new-one", "secret": "x"},
    "connections/<str:name>": {"secret": "x"},
    "events": {"type": "T"},
    "destinations": {"destination": "https://billing.example", "at_once": 3},
    "destinations/try": {"destination": "https://billing.example"},
    "replays": {"flow": "orders", "mode": "shadow"},
    "dead-letters/redrives": {"all": True},
    "dead-letters/discards": {"all": True},
}


class Place:
    """A workspace with one of everything, and the names by which addresses know it."""

    def __init__(self, slug: str) -> None:
        self.space = make.workspace(slug)
        self.flow = make.published(make.order_document(), self.space)
        keep: make.Node = ("last", "filter.state", {"key": "event.id"})
        inbox: make.Node = ("in", "producer.http", {})
        make.published(make.document("keeper", [inbox, keep], ["in:out last"]), self.space)
        channels.create(self.space.pk, "shared")
        self.channel = Channel.objects.get(workspace=self.space, slug="shared")
        Connection.objects.create(workspace=self.space, name="hub", sealed=seal("s3cret"))
        self.token = people.create_token(self.space.pk, "of this place", ["flows:read"])[1]
        make.append(self.flow, [make.event(f"event-of-{slug}")])
        reading = Subscription.objects.get(flow=self.flow)
        (self.place,) = make.append(self.flow, [make.event(f"event-of-{slug}-2")])
        assert self.flow.published is not None
        self.letter = DeadLetter.objects.create(
            flow=self.flow,
            version=self.flow.published,
            node="big",
            subscription_id=reading.pk,
            partition=0,
            offset=0,
            path=0,
            event=b"{}",
            event_id=f"event-of-{slug}",
            failure={},
            fingerprint="f",
            dead_at=0.0,
        )
        self.run = redrives.start(
            self.space.pk, f"of-{slug}", redrives.Order(Wanted(), (self.letter.pk,))
        )
        self.replay = replays.start(self.flow, Wish("shadow"))
        gates.open_breaker(self.space.pk, f"https://of-{slug}.example", "Nobody answered.")
        self.names = {
            "<str:slug>": "orders",
            "<int:number>": "1",
            "<str:name>": "hub",
            "<str:node>": "last",
            "<str:node_type>": "filter.condition",
            "<str:position>": "-".join(map(str, self.place[:3])),
            "<str:ref>": f"{reading.pk}-{self.place.partition}-{self.place.offset}",
        }

    def path(self, route: str) -> str:
        names = dict(self.names)
        if route.startswith("api/v1/channels/"):
            names["<str:slug>"] = "shared"
        if "<str:node>" in route:
            names["<str:slug>"] = "keeper"
        if route.startswith("api/v1/dead-letters/"):
            names["<int:number>"] = str(self.letter.pk)
        if route.startswith("api/v1/dead-letters/redrives/"):
            names["<int:number>"] = str(self.run.pk)
        if route.startswith("api/v1/replays/"):
            names["<int:number>"] = str(self.replay.pk)
        if route.startswith("api/v1/tokens/"):
            names["<int:number>"] = str(self.token.pk)
        path = re.sub(r"<\w+:\w+>", lambda match: names[match[0]], route)
        return f"/{path}" + ("?channel=shared" if route == "api/v1/events" else "")

    def rows(self) -> str:
        """All that anybody could change here, as text."""
        models = (
            Flow,
            Draft,
            FlowVersion,
            Channel,
            Connection,
            DeadLetter,
            Gate,
            Redrive,
            Replay,
        )
        tokens = list(ApiToken.objects.order_by("pk").values_list("pk", "name", "revoked_at"))
        rows = [serializers.serialize("json", model.objects.order_by("pk")) for model in models]
        return "\n".join([*rows, str(tokens), str(Event.objects.count())])


@pytest.fixture(scope="module")
def places(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Place]]:
    """Two places by their slugs, for all tests: what they do is refused, or only reads."""
    with django_db_blocker.unblock():
        yield {slug: Place(slug) for slug in ("main", "elsewhere")}
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def place(places: dict[str, Place]) -> Place:
    return places["main"]


@pytest.fixture(autouse=True)
def _database(places: dict[str, Place], db: None) -> None:
    """People and tokens that a test adds are rolled back."""


def _try(api: Api, place: Place, door: Door) -> Any:
    body = BODIES.get(door.route.removeprefix("api/v1/"), {})
    return api(door.method, place.path(door.route), body, If_Match="*")


def _scopes_without(door: Door) -> list[str]:
    return [scope for scope in people.SCOPES if scope not in (door.scope, "admin")]


def test_there_is_something_to_walk() -> None:
    assert len(DOORS) > 40
    assert len(WITH_NAMES) > 25


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_without_credentials_nothing_is_told(place: Place, door: Door) -> None:
    before = place.rows()
    api = nobody()
    problem = _try(api, place, door)
    assert (api.answer.status_code, problem["status"]) == (401, 401)
    assert api.answer["WWW-Authenticate"].startswith("Bearer")
    api = bearer("ef_wrong")
    assert _try(api, place, door)["status"] == 401
    assert place.rows() == before


@pytest.mark.parametrize("door", WITH_NAMES, ids=str)
def test_what_belongs_to_another_workspace_is_not_there(place: Place, door: Door) -> None:
    """A token and a session of another workspace, which has nothing: 404, and nothing changes."""
    if "<str:node_type>" in door.route:
        return  # node types are everybody's
    other = make.workspace("empty")
    apis = [program("admin", space=other), person("owner", other, "stranger")]
    before = place.rows()
    for api in apis:
        for query in ("", "?workspace=empty", "?workspace=main"):
            path = place.path(door.route) + query
            body = BODIES.get(door.route.removeprefix("api/v1/"), {})
            problem = api(door.method, path, body, If_Match="*")
            assert api.answer.status_code == 404, (path, problem)
            assert "s3cret" not in str(problem)
    assert place.rows() == before


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_token_without_the_scope_is_told_which_one(place: Place, door: Door) -> None:
    if not door.scope:
        return  # any token will do
    api = program(*_scopes_without(door))
    before = place.rows()
    problem = _try(api, place, door)
    assert api.answer.status_code == 403, problem
    assert door.scope in problem["detail"]
    assert place.rows() == before


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_role_below_the_one_needed_is_told_which_one(place: Place, door: Door) -> None:
    roles = people.ROLES[: people.ROLES.index(door.role)]
    for role in roles:
        api = person(role)
        before = place.rows()
        problem = _try(api, place, door)
        assert api.answer.status_code == 403, (role, problem)
        assert door.role in problem["detail"]
        assert place.rows() == before


@pytest.mark.parametrize("door", [door for door in DOORS if door.method != "GET"], ids=str)
def test_a_session_without_the_csrf_token_changes_nothing(place: Place, door: Door) -> None:
    api = person("owner")
    api._headers.clear()
    before = place.rows()
    assert _try(api, place, door)["status"] == 403
    assert place.rows() == before


@pytest.mark.parametrize(
    "door", [door for door in DOORS if door.method == "GET" and "<" not in door.route], ids=str
)
def test_lists_hold_only_what_is_of_their_workspace(places: dict[str, Place], door: Door) -> None:
    here, there = places["main"], places["elsewhere"]
    api = program("admin", space=here.space)
    for query in ("", "?flow=orders", "?state=queued"):
        text = str(api(door.method, f"/{door.route}{query}"))
        for foreign in ("elsewhere", there.names["<str:position>"], there.names["<str:ref>"]):
            if query and api.answer.status_code == 400:
                continue  # no such filter here
            assert api.answer.status_code == 200, text
            assert f"'{foreign}" not in text and f"of-{foreign}" not in text


@pytest.mark.parametrize("door", [door for door in DOORS if door.role == "viewer"], ids=str)
def test_viewers_may_read_everything(place: Place, door: Door) -> None:
    api = person("viewer")
    answer = _try(api, place, door)
    assert api.answer.status_code == 200, answer
