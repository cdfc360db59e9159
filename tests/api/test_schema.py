"""The API describes itself: whole, valid, and open to all."""

import json
import re
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test import Client

from tests.api.client import nobody
from tests.api.test_access import DOORS


def _schema() -> Any:
    return nobody().expect(200, "GET", "schema")


def test_the_schema_is_valid_and_made_without_warnings(tmp_path: Path) -> None:
    call_command("spectacular", fail_on_warn=True, validate=True, file=str(tmp_path / "schema"))


def test_every_method_of_every_address_is_described() -> None:
    paths = _schema()["paths"]
    for door in DOORS:
        path = re.sub(r"<\w+:(\w+)>", r"{\1}", f"/{door.route}")
        described = paths[path][door.method.lower()]
        assert described["summary"], door
        assert "default" in described["responses"], door
    assert "post" in paths["/hooks/{key}"]


def test_every_reference_leads_somewhere_and_every_name_is_given_once() -> None:
    schema = _schema()
    known = {f"#/components/schemas/{name}" for name in schema["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(schema))) <= known
    names = [one["operationId"] for path in schema["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) > 40


def test_the_page_of_the_schema_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs").content.decode()
    assert "<script>" not in page
    assert re.findall(r'(?:src|href)="(?!/)([^"]*)"', page) == []
    script = Client().get("/api/docs?script=")
    assert script["Content-Type"] == "application/javascript"
    assert "/api/v1/schema" in script.content.decode()
