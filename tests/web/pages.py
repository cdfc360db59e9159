"""Every address of the product's pages: who may use it, and with what."""

from typing import Any, NamedTuple

from django.urls import reverse

from tests.web.conftest import World
from workflows.web.urls import urlpatterns

LOWER = {"editor": "viewer", "operator": "editor", "owner": "operator"}


class Page(NamedTuple):
    """`needs` is the least role; `form` makes it a POST; `ok` are the answers that mean success."""

    name: str
    needs: str
    args: tuple[str, ...] = ()  # fields of the world, or literals
    form: dict[str, str] | None = None
    ok: tuple[int, ...] = (200,)

    def url(self, world: World) -> str:
        values = [_value(world, arg) for arg in self.args]
        return reverse(self.name, args=[world.space.slug, *values])


PAGES = (
    Page("flows", "viewer"),
    Page("new_flow", "editor"),
    Page("import", "editor"),
    Page("flow", "viewer", ("orders",)),
    Page("try", "editor", ("orders",), {"data": "{}"}, (202,)),
    Page("versions", "viewer", ("orders",)),
    Page("publish_again", "editor", ("orders", "1"), {}, (302,)),
    Page("trigger", "viewer", ("orders",)),
    Page("rejected", "editor", ("orders",)),
    Page("lanes", "viewer", ("orders",)),
    Page("backlog", "viewer", ("orders",)),
    Page("channel_backlog", "viewer", ("orders.in",)),
    Page("park_head", "operator", ("orders", "1"), {}, (302,)),
    Page("skip_head", "operator", ("orders", "1"), {}, (302,)),
    Page("acknowledge", "operator", ("orders",), {}, (302,)),
    Page("flow_settings", "editor", ("orders",)),
    Page("delete", "owner", ("orders",)),
    Page("traces", "viewer"),
    Page("trace", "viewer", (".trace",)),
    Page("trace", "viewer", (".failed",)),
    Page("events", "viewer"),
    Page("event", "viewer", (".position",)),
    Page("replays", "viewer"),
    Page("new_replay", "editor"),
    Page("replay", "viewer", (".replay",)),
    Page("replay_difference", "viewer", (".replay", ".difference")),
    Page("cancel_replay", "editor", (".replay",), {}, (302,)),
    Page("where", "viewer"),
    Page("channels", "viewer"),
    Page("new_channel", "editor"),
    Page("channel", "editor", ("orders.in",)),
    Page("dead_letters", "viewer"),
    Page("dead_letter", "viewer", (".letter",)),
    Page("redrive", "operator", (".letter",), {}, (302,)),
    Page("discard", "operator", (".letter",), {}, (302,)),
    Page("edit_letter", "operator", (".letter",)),
    Page("edit_letter", "operator", (".letter",), {"payload": "{}", "version": "failed"}, (302,)),
    Page("redrive_many", "operator"),
    Page("redrive_many", "operator", (), {"version": "published"}, (302,)),
    Page("discard_many", "operator"),
    Page("discard_many", "operator", (), {}, (302,)),
    Page("redrives", "viewer"),
    Page("redrive_run", "viewer", (".run",)),
    Page("cancel_redrive", "operator", (".run",), {}, (302,)),
    Page("settings", "viewer", ok=(302,)),
    Page("tokens", "owner"),
    Page("revoke_token", "owner", (".token",), {}, (302,)),
    Page("connections", "owner"),
    Page("delete_connection", "owner", ("billing",), {}, (302,)),
    Page("destinations", "viewer"),
    Page("destinations", "operator", (), {"destination": "mail", "at_once": "2"}, (302,)),
    Page("try_destination", "operator", (), {"destination": "mail"}, (302,)),
    Page("members", "viewer"),
    Page("add_member", "owner", (), {"username": "new", "role": "viewer"}, (200,)),
    Page("change_role", "owner", (".member",), {"role": "owner"}, (302,)),
    Page("remove_member", "owner", (".member",), {}, (302,)),
    Page("appearance", "viewer"),
    Page("search", "viewer"),
    Page("health", "viewer"),
)
# Another room's view, tested there; the address is in the same table of addresses.
ELSEWHERE = {"inspector"}
READABLE = tuple(page for page in PAGES if page.form is None and page.ok == (200,))


def names_of_all() -> set[str]:
    """The names of all addresses below `/w/{workspace}/`."""
    inside: Any = urlpatterns[-1]
    return {pattern.name for pattern in inside.url_patterns}


def _value(world: World, arg: str) -> str:
    return str(getattr(world, arg[1:])) if arg.startswith(".") else arg
