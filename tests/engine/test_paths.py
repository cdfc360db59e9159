"""Are parts of JSON read and replaced without a change to the original?"""

import copy

import pytest

from workflows.engine.event import JSON
from workflows.engine.paths import PathError, get_path, set_path, without_path

VALUE = {"a": {"b": 1}, "list": [{"x": 1}, 2], "n": 5, "none": None}


def path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


@pytest.mark.parametrize(
    ("at", "found"), [("a.b", 1), ("list.0.x", 1), ("list.2", "?"), ("n.x", "?"), ("none", None)]
)
def test_a_path_leads_to(at: str, found: JSON) -> None:
    assert get_path(VALUE, path(at), "?") == found


@pytest.mark.parametrize("at", ["a.b", "a.c.d", "list.0.x", "list.1", "none.x", "new"])
def test_setting_copies_what_lies_on_the_path_only(at: str) -> None:
    before = copy.deepcopy(VALUE)
    changed = set_path(VALUE, path(at), "new")
    assert get_path(changed, path(at)) == "new"
    assert before == VALUE
    assert all(changed[key] is VALUE[key] for key in VALUE if key != path(at)[0])


@pytest.mark.parametrize("at", ["n.x", "list.7", "list.x"])
def test_setting_says_what_is_in_the_way(at: str) -> None:
    with pytest.raises(PathError):
        set_path(VALUE, path(at), 1)


@pytest.mark.parametrize("at", ["a.b", "list.0.x", "list.1", "n"])
def test_removing_takes_that_part_only(at: str) -> None:
    before = copy.deepcopy(VALUE)
    changed = without_path(VALUE, path(at))
    assert changed != VALUE
    assert before == VALUE


@pytest.mark.parametrize("at", ["x", "a.x", "list.9", "n.x", "list.0.y"])
def test_removing_nothing_gives_the_value_itself(at: str) -> None:
    assert without_path(VALUE, path(at)) is VALUE
