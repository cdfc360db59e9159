"""Are templates filled in as written?"""

import pytest

from workflows.engine.event import JSON
from workflows.engine.expression import EvaluationError, ExpressionError, bind
from workflows.engine.template import JsonTemplate, Template

ACTIVATION = bind({"id": "e1", "data": {"n": 3, "ok": True, "list": [1], "none": None}}, 0.0)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("n=${event.data.n}!", "n=3!"),
        ("${event.id}${event.data.ok}", "e1true"),
        ("${event.data.list} ${event.data.none}", "[1] null"),
        ("${ {'a': {'b': 1}} }", '{"a":{"b":1}}'),  # braces inside
        ("${'}' + \"{\"}", "}{"),  # braces in strings
        ("$${event.id}", "${event.id}"),
        ("$${${event.id}}", "${e1}"),
        ("5 $ {x} $", "5 $ {x} $"),
    ],
)
def test_a_template_renders(source: str, text: str) -> None:
    assert Template(source).render(ACTIVATION) == text


@pytest.mark.parametrize(
    ("source", "value"),
    [("${event.data.n}", 3), ("${event.data.list}", [1]), (" ${event.data.n}", " 3"), ("", "")],
)
def test_a_lone_expression_keeps_its_type(source: str, value: JSON) -> None:
    assert Template(source).value(ACTIVATION) == value


@pytest.mark.parametrize(
    ("source", "column"), [("ab ${event.id", 4), ("ab ${nope}", 6), ("${}", 3), ("${)}", 1)]
)
def test_a_wrong_template_says_where(source: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        Template(source)
    assert caught.value.column == column


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="gone"):
        Template("a ${event.data.gone}").render(ACTIVATION)


def test_values_in_an_address_are_quoted_but_not_a_whole_address() -> None:
    activation = bind({"data": {"url": "https://a.example/x", "id": "a/b?c"}}, 0.0)
    template = Template("${event.data.url}/${event.data.id}")
    quoted = template.render_url(activation, lambda text: text.replace("/", "%2F"))
    assert quoted == "https://a.example/x/a%2Fb?c"


def test_a_json_template_fills_every_text_and_nothing_else() -> None:
    template = JsonTemplate({"${event.id}": ["${event.data.n}", "no. ${event.data.n}", 5, None]})
    assert template.value(ACTIVATION) == {"${event.id}": [3, "no. 3", 5, None]}


def test_a_json_template_has_a_bounded_depth() -> None:
    deep: JSON = "x"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested deeper"):
        JsonTemplate(deep)
