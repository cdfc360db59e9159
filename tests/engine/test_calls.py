"""What do nodes that call the world share, and what do HTTP answers mean for another try?"""

import pytest
from pydantic import TypeAdapter, ValidationError

from workflows.engine.calls import RETRIED, StatusList, failure_of
from workflows.engine.effects import Reply
from workflows.nodes.registry import node_types

STATUSES = TypeAdapter(StatusList)


@pytest.mark.parametrize(
    ("listed", "status", "again"),
    [
        (RETRIED, 408, True),
        (RETRIED, 429, True),
        (RETRIED, 503, True),
        (RETRIED, 404, False),
        ("404", 404, True),
        ("404", 503, False),
        ("", 503, False),
        ("4xx", 418, True),
    ],
)
def test_the_listed_statuses_are_tried_again(listed: str, status: int, again: bool) -> None:
    failed = failure_of(Reply(ok=True, status=status), listed)
    assert failed is not None
    assert failed.retry is again


@pytest.mark.parametrize("error", ["timeout", "connection"])
def test_no_answer_is_tried_again_whatever_is_listed(error: str) -> None:
    failed = failure_of(Reply(ok=False, error=error), "")  # type: ignore[arg-type]
    assert failed is not None
    assert failed.retry


@pytest.mark.parametrize(("text", "kept"), [("429,5XX", "429, 5xx"), (" 500 404 ", "500, 404")])
def test_a_list_is_written_in_one_way(text: str, kept: str) -> None:
    assert STATUSES.validate_python(text) == kept


@pytest.mark.parametrize("text", ["600", "5x", "many", "42"])
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="is no status"):
        STATUSES.validate_python(text)


@pytest.mark.parametrize(
    "kind", ["consumer.http", "consumer.email", "consumer.celery_task", "filter.enrich"]
)
def test_forms_show_the_fields_of_a_node_before_those_that_all_calls_have(kind: str) -> None:
    schema = node_types()[kind].Config.model_json_schema()
    assert list(schema["properties"])[-2:] == ["retry", "limits"]
