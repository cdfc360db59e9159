"""Do lists stay quick, and are their parts the same as the pages'?"""

import html
import re
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from tests import make
from tests.web.conftest import World, drain
from workflows.models import Channel
from workflows.storage import channels, eventpages, flowrows, tracepages
from workflows.storage.pages import Entry, Place, Stream, gather
from workflows.web import eventrows, tracerows
from workflows.web.paging import read_bounds, write_bounds

Browser = Callable[[str], Client]
HTMX = {"HX-Request": "true"}
_FLOW = re.compile(r'href="/w/main/flows/([^"/]+)"')
_CHANNEL = re.compile(r'href="/w/main/events\?channel=([^"]+)"')


@pytest.mark.parametrize(
    "address",
    [
        "/w/main/flows",
        "/w/main/traces",
        "/w/main/traces?flow=orders&state=failed",
        "/w/main/events",
        "/w/main/channels",
    ],
)
def test_the_part_is_what_the_page_has(world: World, browser: Browser, address: str) -> None:
    client = browser("viewer")
    sign = "&" if "?" in address else "?"
    part = client.get(f"{address}{sign}part=rows", headers=HTMX).content.decode().strip()
    whole = client.get(address).content.decode()
    assert part
    assert "<html" not in part
    assert _flat(part) in _flat(whole)


@pytest.mark.parametrize("name", ["flows", "traces", "events", "channels", "dead-letters"])
def test_a_row_leads_to_one_place(world: World, browser: Browser, name: str) -> None:
    # The link of class link-quiet is spread over its row: of two, the latter would hide the first.
    rows = browser("owner").get(f"/w/main/{name}").content.decode().split("<tr data-href>")[1:]
    assert rows
    assert all(row.count('class="link-quiet') == 1 for row in rows)


def test_the_drawer_gets_the_steps_alone(world: World, browser: Browser) -> None:
    address = f"/w/main/traces/{world.trace}"
    part = browser("viewer").get(f"{address}?part=steps", headers=HTMX).content.decode()
    assert 'class="steps"' in part
    assert "<html" not in part


def test_a_part_opened_as_a_page_is_a_whole_page(world: World, browser: Browser) -> None:
    answer = browser("viewer").get(f"/w/main/traces/{world.trace}?part=steps")
    assert "<html" in answer.content.decode()


LISTS = [
    "flows",
    "traces",
    "events",
    "channels",
    "dead-letters",
    "search?q=Order",
    "settings/members",
]


@pytest.mark.parametrize("name", LISTS)
def test_more_flows_mean_no_more_queries(
    world: World,
    browser: Browser,
    django_assert_max_num_queries: Callable[[int], object],
    name: str,
) -> None:
    for number in range(12):
        flow = make.published(make.order_document(f"flow-{number}"), world.space)
        make.append(flow, [make.event(f"e-{number}-{i}", 150) for i in range(3)])
        drain(flow)
    client = browser("viewer")
    client.get("/w/main/flows")  # the session remembers the workspace now
    with django_assert_max_num_queries(15):  # type: ignore[attr-defined]
        assert client.get(f"/w/main/{name}").status_code == 200


def test_flows_are_listed_a_page_at_a_time_and_found_by_name_on_any(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.web.flows._ON_A_PAGE", 3)
    for number in range(7):
        make.published(make.order_document(f"flow-{number}"), world.space)
    every = [flow.slug for flow in flowrows.of_workspace(world.space.pk)]
    client = browser("viewer")
    texts = _pages(client, "/w/main/flows")
    assert [slug for text in texts for slug in _FLOW.findall(_rows(text))] == every
    text = client.get("/w/main/flows?q=FLOW-6").content.decode()
    assert _FLOW.findall(_rows(text)) == ["flow-6"]
    assert "No flow fits" in client.get("/w/main/flows?q=%25").content.decode()


def test_channels_are_listed_a_page_at_a_time_shared_ones_first(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.web.channels._ON_A_PAGE", 3)
    for number in range(4):
        make.published(make.order_document(f"flow-{number}"), world.space)
        channels.create(world.space.pk, f"shared-{number}")
    shared, private = (
        sorted(one.slug for one in Channel.objects.all() if (one.flow_id is None) is is_shared)
        for is_shared in (True, False)
    )
    client = browser("viewer")
    texts = _pages(client, "/w/main/channels")
    assert [slug for text in texts for slug in _CHANNEL.findall(text)] == shared + private
    assert "No channel fits" in client.get("/w/main/channels?q=%25").content.decode()


def _pages(client: Client, address: str) -> Iterator[str]:
    """The pages of a list, from this one on."""
    while address:
        yield (text := client.get(address).content.decode())
        link = re.search(r'rel="next" href="([^"]+)"', text)
        address = html.unescape(link[1]) if link else ""


def _rows(page: str) -> str:
    return page[page.index("<tbody") : page.index("</tbody>")]


def test_pages_of_traces_repeat_and_skip_nothing(world: World) -> None:
    other = make.published(make.order_document("other"), world.space)
    for flow in (world.flow, other):
        make.append(flow, [make.event(f"{flow.slug}-{i}") for i in range(17)])
        drain(flow)
    flows, cursor, seen = flowrows.of_workspace(world.space.pk), "", []
    while True:
        page = tracerows.lines(flows, tracepages.Wanted(), read_bounds(cursor), 7)
        seen += [line.ref for line in page.lines]
        cursor = page.older
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 2 * 17 + 3


def test_pages_of_events_repeat_and_skip_nothing(world: World) -> None:
    make.append(world.flow, [make.event(f"more-{i}") for i in range(40)])
    channel = Channel.objects.get(flow=world.flow)
    cursor, seen = "", []
    while True:
        page = eventrows.lines([channel.pk], eventpages.Wanted(), read_bounds(cursor), 9)
        seen += [line.position for line in page.lines]
        cursor = page.older
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 43


# filters of the traces -> event ids that are left
FILTERED = [
    (tracepages.Wanted(), {"big", "small", "broken"}),
    (tracepages.Wanted(state="failed"), {"broken"}),
    (tracepages.Wanted(state="filtered"), {"small"}),
    (tracepages.Wanted(state="queued"), {"late"}),
    (tracepages.Wanted(text="Order"), {"big", "small"}),  # the beginning of a type
    (tracepages.Wanted(text="customer-1"), {"big"}),  # a whole key
    (tracepages.Wanted(text="customer"), set()),  # but not a part of one
    (tracepages.Wanted(text="small"), {"small"}),  # an id
    (tracepages.Wanted(text="%"), set()),  # no wildcards
]


@pytest.mark.parametrize(("wanted", "left"), FILTERED)
def test_traces_are_filtered(world: World, wanted: tracepages.Wanted, left: set[str]) -> None:
    make.append(world.flow, [make.event("late")])
    found = tracerows.lines(flowrows.of_workspace(world.space.pk), wanted, {}, 50)
    assert {line.event_id for line in found.lines} == left


# filters of the events -> ids that are left
EVENTS = [
    (eventpages.Wanted(), {"big", "small", "broken"}),
    (eventpages.Wanted(prefix="Order"), {"big", "small"}),
    (eventpages.Wanted(key="customer-1"), {"big"}),
    (eventpages.Wanted(id="small"), {"small"}),
    (eventpages.Wanted(id="SMALL"), set()),
]


@pytest.mark.parametrize(("wanted", "left"), EVENTS)
def test_events_are_filtered(world: World, wanted: eventpages.Wanted, left: set[str]) -> None:
    found = eventrows.lines([Channel.objects.get(flow=world.flow).pk], wanted, {}, 50)
    assert {line.event_id for line in found.lines} == left


def test_streams_are_woven_by_time_each_in_its_own_order() -> None:
    entries = [Entry("1", 9, 5.0), Entry("1", 8, 5.5), Entry("2", 4, 5.2), Entry("2", 3, 1.0)]
    streams = [Stream(key, 1, 10) for key in ("1", "2")]
    page = gather(streams, Place({"3": 7}), 3, lambda looked, size: entries)
    assert [entry[:2] for entry in page.shown] == [("2", 4), ("1", 9), ("1", 8)]
    assert write_bounds(page.last or {}) == "1.1-2.4-3.7"


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("", {}),
        ("1.8-2.4", {"1": 8, "2": 4}),
        ("1.0.8", {"1.0": 8}),  # a partition of a channel
        ("1.x-.-5", {}),  # what can't be read leads to page one
        ("1.99999999999999999999", {}),  # larger than any database number
        ("\u0661.\u0662", {}),  # digits, but not ours
    ],
)
def test_cursors_are_read_with_patience(text: str, bounds: dict[str, int]) -> None:
    assert read_bounds(text) == bounds
    assert read_bounds(write_bounds(bounds)) == bounds


def _flat(html: str) -> str:
    return " ".join(html.split())
