"""What does a browser do with a node's form? Reads it, fills it in, and sends it."""

import json
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client

Fields = list[tuple[str, str]]
URL = "/w/main/flows/orders/inspector"


class Form(HTMLParser):
    """What a browser would send, and what stands below each field."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.sent: Fields = []
        self.says: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._forms = 0
        self._text: tuple[str, list[str]] | None = None
        self._select: str | None = None
        self._slot: tuple[str, int] | None = None
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self._forms += tag == "form"
        if self._slot and tag == "div":
            self._slot = (self._slot[0], self._slot[1] + 1)
        elif tag == "div" and "field-says" in (given.get("class") or ""):
            self._slot = (str(given["id"]), 1)
            self.says[self._slot[0]] = ""
        if self._forms != 1:
            return
        name = given.get("name")
        if tag == "input" and name:
            chosen = given.get("type") not in ("radio", "checkbox") or "checked" in given
            self.sent += [(name, given.get("value") or "")] if chosen else []
        elif tag == "textarea" and name:
            self._text = (name, [])
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.sent.append((self._select, given.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._text:
            name, text = self._text
            self.sent.append((name, "".join(text).removeprefix("\n")))
            self._text = None
        elif tag == "div" and self._slot:
            spot, depth = self._slot
            self._slot = (spot, depth - 1) if depth > 1 else None

    def handle_data(self, data: str) -> None:
        if self._text:
            self._text[1].append(data)
        elif self._slot:
            self.says[self._slot[0]] += " ".join(data.split()) and f"{' '.join(data.split())} "

    def problems(self) -> dict[str, str]:
        return {spot: text.strip() for spot, text in self.says.items() if text.strip()}


def ask(client: Client, kind: str, given: Any, /, **more: str) -> HttpResponse:
    """What the editor asks when a node is selected."""
    values = {"id": "n1", "type": kind, "name": "My node", "config": json.dumps(given), **more}
    return client.post(URL, values, headers={"HX-Request": "true"})


def send(client: Client, fields: Fields) -> HttpResponse:
    """What the form sends when something in it changes."""
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return client.post(URL, data, headers={"HX-Request": "true"})


def news_of(response: HttpResponse) -> dict[str, Any]:
    """What the answer tells the editor: the node's id, name and configuration."""
    news = [
        given for tag, given in Form(response).tags if tag == "input" and "data-node-id" in given
    ]
    assert len(news) == 1
    (given,) = news
    config = json.loads(given["value"] or "")
    return {"id": given["data-node-id"], "name": given["data-node-name"], "config": config}


def config_of(response: HttpResponse) -> Any:
    return news_of(response)["config"]


def changed(fields: Fields, **values: str) -> Fields:
    """The same form with other texts; `c__rows__0__part` stands for `c.rows.0.part`."""
    new = {name.replace("__", "."): value for name, value in values.items()}
    return [(name, value) for name, value in fields if name not in new] + list(new.items())
