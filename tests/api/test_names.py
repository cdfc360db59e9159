"""Does the API make only what flows can refer to?"""

import pytest

from tests.api.client import person
from workflows.models import Channel, Connection

REFUSED = [
    ("channels", {"slug": "Orders"}, "slug"),
    ("channels", {"slug": "or_ders"}, "slug"),
    ("channels", {"slug": "a" * 65}, "slug"),
    ("connections", {"name": "Hub", "secret": "x"}, "name"),
    ("connections", {"name": "hub-", "secret": "x"}, "name"),
    ("connections", {"name": "a" * 61, "secret": "x"}, "name"),
]


@pytest.mark.parametrize(("path", "body", "field"), REFUSED)
def test_a_name_that_no_node_takes_is_refused(path: str, body: dict[str, str], field: str) -> None:
    problem = person("owner").expect(422, "POST", path, body)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert not Channel.objects.exists()
    assert not Connection.objects.exists()


def test_a_name_that_nodes_take_is_taken() -> None:
    owner = person("owner")
    owner.expect(201, "POST", "channels", {"slug": "new"})
    owner.expect(201, "POST", "connections", {"name": "hub_2", "secret": "x"})
