"""A node's form shows every configuration, gives it back unharmed, and says what to mend."""

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.web.conftest import HOSTILE, World
from tests.web.nodeforms import URL, Form, ask, changed, config_of, news_of, send
from workflows.models import Hook
from workflows.nodes.registry import catalog

pytestmark = pytest.mark.sqlite_alone

Browser = Callable[[str], Client]

CONFIGS = [
    pytest.param(entry["type"], config, id=f"{entry['type']}-{index}")
    for entry in catalog()
    for index, config in enumerate(
        [entry["defaults"], {}, *(example["config"] for example in entry["examples"])]
    )
]
TYPES = [entry["type"] for entry in catalog()]


@pytest.fixture
def editor(world: World, browser: Browser) -> Client:
    return browser("editor")


@pytest.mark.parametrize(("kind", "config"), CONFIGS)
def test_a_form_gives_back_exactly_the_configuration_it_was_made_from(
    editor: Client, kind: str, config: dict[str, Any]
) -> None:
    form = Form(ask(editor, kind, config))
    answer = send(editor, form.sent)
    assert answer.status_code == 200
    assert config_of(answer) == config
    news = news_of(answer)
    assert (news["id"], news["name"]) == ("n1", "My node")
    assert "data-node-id" not in ask(editor, kind, config).content.decode(), "nothing new yet"


ODD = {
    "consumer.http": [
        {"url": "u", "headers": {"x": 5}},
        {"url": "a\nb"},
        {"url": 7, "retry": "often"},
        {"url": "u", "retry": {"attempts": 2, "patience": 1}},
        {"url": "u", "method": "BREW"},
        {"url": "u", "headers": {"": "x", "y": ""}},
        {"url": "u", "template": "\n\n  two\r\nlines\n"},
        {"url": HOSTILE, "headers": {HOSTILE: HOSTILE}},
    ],
    "filter.switch": [{"cases": "x"}, {"cases": [{}]}, {"cases": [{"name": "a", "odd": 1}]}],
    "filter.delay": [{"seconds": "soon"}, {"seconds": None}, {"seconds": 1e300}],
    "consumer.email": [{"to": ["", "a"]}, {"to": [["a"]]}, {"unknown": {"deep": [1, None]}}],
}


@pytest.mark.parametrize(
    ("kind", "config"), [(kind, config) for kind, some in ODD.items() for config in some]
)
def test_a_form_keeps_what_its_widgets_cannot_show(
    editor: Client, kind: str, config: dict[str, Any]
) -> None:
    assert config_of(send(editor, Form(ask(editor, kind, config)).sent)) == config


@pytest.mark.parametrize("kind", TYPES)
def test_the_json_view_gives_back_the_same_configuration(editor: Client, kind: str) -> None:
    entry = next(entry for entry in catalog() if entry["type"] == kind)
    config = entry["examples"][0]["config"]
    form = Form(ask(editor, kind, config))
    as_json = send(editor, [*form.sent, ("do", "view:json")])
    assert config_of(as_json) == config
    shown = dict(Form(as_json).sent)
    assert json.loads(shown["raw"]) == config and shown["view"] == "json"
    back = send(editor, [*Form(as_json).sent, ("do", "view:fields")])
    assert config_of(back) == config
    assert dict(Form(back).sent)["view"] == "fields"


def test_a_long_configuration_travels_in_the_body_of_the_answer(editor: Client) -> None:
    config = {"message": "x" * 100_000}
    answer = send(editor, Form(ask(editor, "consumer.log", config)).sent)
    assert config_of(answer) == config
    headers = "".join(f"{name}: {value}" for name, value in answer.headers.items())
    assert len(headers) < 2_000, "proxies refuse long headers"


def test_broken_json_keeps_the_last_configuration_and_its_text(editor: Client) -> None:
    form = Form(send(editor, [*Form(ask(editor, "filter.delay", {"seconds": 5})).sent,
                              ("do", "view:json")]))  # fmt: skip
    broken = changed(form.sent, raw='{"seconds": ')
    answer = send(editor, broken)
    assert config_of(answer) == {"seconds": 5}
    assert "not valid JSON" in Form(answer).says["f-says"]
    still = Form(send(editor, [*broken, ("do", "view:fields")]))
    assert dict(still.sent)["raw"] == '{"seconds": ', "it isn't thrown away by changing the view"


PROBLEMS = [
    ("filter.condition", {}, "f-condition-says", "Fill this in"),
    ("filter.condition", {"condition": "event.data.amount >"}, "f-condition-says", ""),
    ("filter.delay", {"seconds": 0}, "f-seconds-says", "above 0"),
    ("filter.delay", {"seconds": "soon"}, "f-seconds-says", "Give a number."),
    ("filter.switch", {"cases": [{"name": "a", "when": "true"}, {"name": "b", "when": "1 +"}]},
     "f-cases-1-when-says", ""),
    ("filter.switch", {"cases": [{"name": "No", "when": "true"}]}, "f-cases-0-name-says",
     "begin with a letter"),
    ("filter.switch", {"cases": [{"name": "a", "when": "true"}, {"name": "a", "when": "true"}]},
     "f-cases-says", "Two cases are called"),
    ("filter.switch", {"cases": []}, "f-cases-says", "Add at least 1."),
    ("filter.transform", {"set": {"data.total": "event.data."}}, "f-set-0-value-says", ""),
    ("filter.transform", {"set": {"a": "1", "nope.x": "1"}}, "f-set-1-key-says", "must be a path"),
    ("filter.transform", {"only": ["data.a", "b"]}, "f-only-1-value-says", "must be a path"),
    ("consumer.http", {"url": "https://x.example", "retry": {"attempts": -1}},
     "f-retry-attempts-says", "from 0 upwards"),
    ("producer.http", {"signature": "token"}, "f-secret-says", "Choose the connection"),
    ("producer.http", {"signature": "token", "secret": "gone"}, "f-secret-says",
     'no connection "gone"'),
    ("producer.schedule", {"cron": "61 * * * *"}, "f-cron-says", "not a cron line"),
    ("producer.schedule", {}, "f-cron-says", "Give either"),
    ("producer.channel", {"channel": "Not A Slug"}, "f-channel-says", "small letters"),
    ("producer.simulator", {"data": {"a": "${nope}"}}, "f-data-says", ""),
    ("consumer.log", {"colour": "red"}, "f-says", "no such field"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "spot", "says"), PROBLEMS)
def test_a_problem_stands_below_its_field_at_once_and_after_a_change(
    editor: Client, kind: str, config: dict[str, Any], spot: str, says: str
) -> None:
    form = Form(ask(editor, kind, config))
    answer = send(editor, form.sent)
    for page in (form, Form(answer)):
        assert says in page.problems()[spot]
        assert page.says.keys() == form.says.keys(), "every slot is filled or emptied"


def test_a_change_answers_without_touching_the_fields(editor: Client) -> None:
    form = Form(ask(editor, "filter.condition", {"condition": "true"}))
    answer = send(editor, changed(form.sent, c__condition="event.data.amount > 5"))
    assert config_of(answer) == {"condition": "event.data.amount > 5"}
    page = Form(answer)
    assert not any(tag in ("textarea", "select", "form") for tag, _ in page.tags)
    swapped = [given["id"] for _, given in page.tags if "hx-swap-oob" in given]
    assert swapped == ["inspector-was", "f-says", "f-condition-says"]


def test_what_is_cleared_goes_back_to_the_default(editor: Client) -> None:
    form = Form(ask(editor, "filter.dedupe", {"window_seconds": 60}))
    assert config_of(send(editor, changed(form.sent, c__window_seconds=""))) == {}
    assert config_of(send(editor, changed(form.sent, c__window_seconds="0.5"))) == {
        "window_seconds": 0.5
    }


def test_one_changed_retry_setting_keeps_the_others(editor: Client) -> None:
    form = Form(ask(editor, "consumer.http", {"url": "u"}))
    config = config_of(send(editor, changed(form.sent, c__retry__attempts="2")))
    assert config["retry"]["attempts"] == 2
    assert config["retry"]["cap_seconds"] == 300


CASES = {"cases": [{"name": name, "when": "true"} for name in ("a", "b", "c")]}
ACTIONS = [
    ("add:cases", ["a", "b", "c", ""], "f-cases-3-name"),
    ("remove:cases.1", ["a", "c"], "f-cases-add"),
    ("up:cases.2", ["a", "c", "b"], "f-cases-1-up"),
    ("up:cases.1", ["b", "a", "c"], "f-cases-0-down"),
    ("down:cases.1", ["a", "c", "b"], "f-cases-2-up"),
    ("up:cases.0", ["a", "b", "c"], None),
    ("remove:cases.9", ["a", "b", "c"], None),
    ("remove:nowhere.0", ["a", "b", "c"], None),
    ("remove:cases.x", ["a", "b", "c"], None),
    ("explode:cases.0", ["a", "b", "c"], None),
]


@pytest.mark.parametrize(("do", "names", "focus"), ACTIONS)
def test_rows_are_added_removed_and_moved_and_keep_the_focus(
    editor: Client, do: str, names: list[str], focus: str | None
) -> None:
    answer = send(editor, [*Form(ask(editor, "filter.switch", CASES)).sent, ("do", do)])
    page = Form(answer)
    assert [v for n, v in page.sent if n.startswith("c.cases.") and n.endswith(".name")] == names
    assert [case["name"] for case in config_of(answer)["cases"]] == [name for name in names if name]
    focused = [given for _, given in page.tags if "autofocus" in given]
    assert len(focused) == (focus is not None)
    if focus is not None and focused[0].get("id"):
        assert focused[0]["id"] == focus


def test_a_row_that_is_filled_in_halfway_stays_in_the_form(editor: Client) -> None:
    form = Form(send(editor, [*Form(ask(editor, "filter.transform", {})).sent, ("do", "add:set")]))
    form = Form(send(editor, [*changed(form.sent, c__set__0__key="data.x"), ("do", "add:set")]))
    rows = [(name, value) for name, value in form.sent if name.startswith("c.set.")]
    assert rows == [
        ("c.set.0.key", "data.x"), ("c.set.0.value", ""), ("c.set.1.key", ""), ("c.set.1.value", "")
    ]  # fmt: skip


def test_a_key_that_is_there_twice_is_told(editor: Client) -> None:
    form = Form(ask(editor, "filter.transform", {"set": {"data.a": "1", "data.b": "2"}}))
    answer = send(editor, changed(form.sent, c__set__1__key="data.a"))
    assert "twice" in Form(answer).problems()["f-set-1-key-says"]


def test_a_field_that_does_not_exist_can_be_removed(editor: Client) -> None:
    form = Form(ask(editor, "consumer.log", {"colour": "red"}))
    answer = send(editor, [*form.sent, ("do", "drop:colour")])
    assert config_of(answer) == {} and not Form(answer).problems()


def test_an_example_can_be_taken_over(editor: Client) -> None:
    form = Form(ask(editor, "filter.condition", {"condition": "true"}))
    answer = send(editor, [*form.sent, ("do", "example:0")])
    assert config_of(answer) == {"condition": "event.data.amount > 100"}
    assert ("c.condition", "event.data.amount > 100") in Form(answer).sent


def test_a_schedule_tells_its_next_three_runs(editor: Client) -> None:
    config = {"cron": "0 9 1 1 *", "timezone": "Europe/Berlin"}
    says = Form(ask(editor, "producer.schedule", config)).says["f-cron-says"]
    assert says.count("1 Jan 09:00") == 3 and "Europe/Berlin" in says


def test_a_producer_shows_where_to_send_events(editor: Client, world: World) -> None:
    hook = Hook.objects.get(flow=world.flow, node="in").key
    page = ask(editor, "producer.http", {}, id="in").content.decode()
    assert "http://testserver/api/v1/flows/orders/trigger?node=in" in page
    assert f"http://testserver/hooks/{hook}" in page
    assert "once the flow is published" not in page
    assert "once the flow is published" in ask(editor, "producer.http", {}).content.decode()


def test_a_manual_producer_has_a_button_that_sends_its_data(editor: Client) -> None:
    page = ask(editor, "producer.manual", {"data": {"amount": 7}}).content.decode()
    assert 'hx-post="/w/main/flows/orders/try"' in page
    assert "&quot;amount&quot;: 7" in page


def test_expressions_get_hints_from_the_newest_event(editor: Client) -> None:
    assert "event.data." in ask(editor, "filter.condition", {}).content.decode()


def test_a_viewer_sees_a_form_that_takes_nothing(world: World, browser: Browser) -> None:
    client = browser("viewer")
    hook = Hook.objects.get(flow=world.flow, node="in").key
    for kind in TYPES:
        answer = ask(client, kind, {}, id="in")
        page = Form(answer)
        assert ("fieldset", {"class": "plain", "disabled": None}) in page.tags
        assert hook not in answer.content.decode()
        assert "Send an event" not in answer.content.decode()


def test_strangers_learn_nothing(world: World, browser: Browser) -> None:
    client = browser("editor")
    elsewhere = URL.replace("/main/", "/other/")
    assert client.post(elsewhere, {"id": "a", "type": "filter.delay"}).status_code == 404
    gone = URL.replace("/orders/", "/gone/")
    assert client.post(gone, {"id": "a", "type": "filter.delay"}).status_code == 404
    assert client.get(URL).status_code == 405


def test_an_unknown_type_is_shown_as_it_is(editor: Client) -> None:
    answer = ask(editor, "filter.from_mars", {"a": HOSTILE})
    page = answer.content.decode()
    assert answer.status_code == 200 and "no node type" in page
    assert HOSTILE not in page and html.escape(HOSTILE.replace('"', '\\"')) in page


DEEP = "[" * 200 + "]" * 200
BAD = [
    {"config": "{"},
    {"config": "[]"},
    {"config": "null"},
    {"config": f'{{"data": {DEEP}}}'},
    {"config": "[" * 100_000},
    {"config": '{"message": "%s"}' % ("x" * 1_000_000)},
    {"config": '{"a": NaN}'},
    {"id": ""},
    {"id": "../../etc"},
    {"type": ""},
    {"type": "x" * 1_000},
    {"name": "n" * 201},
    {"view": "raw"},
    {"view": "fields", "was": "nonsense"},
    {"view": "fields", "was": "[1]"},
    {"view": "fields", "c.message": "x" * 500_000},
]


@pytest.mark.parametrize("wrong", BAD, ids=lambda wrong: "-".join(wrong))
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    editor: Client, wrong: dict[str, str]
) -> None:
    answer = ask(editor, "consumer.log", {}, **wrong)
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/plain")
    text = answer.content.decode()
    assert text.endswith(".") and len(text) < 300
    assert json.loads(answer["HX-Trigger"])["eventflow:toast"]["text"] == text


STRANGE: list[dict[str, str]] = [
    {"c.cases": "x", "c.cases.x.name": "a", "c.cases..": "b", "c.cases.99999999.name": "c"},
    {"j.cases": "[[[["},
    {"c.cases.0.name": "\x00\ud7ff", "c.cases.0.when": "'" * 1_000},
    {"do": "add:"},
    {"do": "add:matches.0"},
    {"do": "example:٣"},
    {"do": "example:99999999999"},
    {"do": "drop:"},
    {"do": ":::"},
    {"was": '{"cases": {"cases": []}, "matches": [1e308]}', "c.matches": "both"},
]


@pytest.mark.parametrize("strange", STRANGE, ids=lambda strange: next(iter(strange)))
def test_nothing_that_is_sent_breaks_the_form(editor: Client, strange: dict[str, str]) -> None:
    for kind in TYPES:
        answer = ask(editor, kind, {}, **{"view": "fields", "was": "{}", **strange})
        assert answer.status_code == 200
        assert isinstance(config_of(answer), dict)


@pytest.mark.parametrize("kind", TYPES)
def test_hostile_texts_stay_texts_and_nothing_is_inline(editor: Client, kind: str) -> None:
    entry = next(entry for entry in catalog() if entry["type"] == kind)
    config = {name: HOSTILE for name in entry["schema"].get("properties", {})}
    answer = ask(editor, kind, config | {HOSTILE: HOSTILE}, name=HOSTILE)
    page = Form(answer)
    assert answer.status_code == 200
    for tag, given in page.tags:
        assert tag not in ("script", "style")
        assert not any(name == "style" or name.startswith("on") for name in given)
    assert config_of(send(editor, page.sent)) == config | {HOSTILE: HOSTILE}
