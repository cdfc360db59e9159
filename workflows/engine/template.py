"""How are `${…}` templates in texts filled in?

Inside the braces is a CEL expression. `$${` stands for a plain `${`. Texts go in as they are, all
other values as JSON: `true`, `null`, `{"a":1}`.
"""

from collections.abc import Callable
from functools import lru_cache

import msgspec

from workflows.engine.event import JSON
from workflows.engine.expression import (
    Activation,
    Env,
    Expression,
    ExpressionError,
    event_env,
)
from workflows.engine.tokens import closing_brace

_DEEPEST = 32


class Template:
    """A compiled template. Raises ExpressionError with the column in the whole text."""

    def __init__(self, source: str, env: Env | None = None) -> None:
        self.source = source
        self._parts = _parse(source, env or event_env())

    def render(self, activation: Activation) -> str:
        """The text for this event. Raises EvaluationError."""
        return "".join(
            part if isinstance(part, str) else _text(part.evaluate(activation))
            for part in self._parts
        )

    def render_url(self, activation: Activation, quote: Callable[[str], str]) -> str:
        """The text with every value quoted, but for one that the text begins with: that one
        may be a whole address."""
        out = []
        for index, part in enumerate(self._parts):
            if isinstance(part, str):
                out.append(part)
            else:
                text = _text(part.evaluate(activation))
                out.append(quote(text) if index else text)
        return "".join(out)

    def value(self, activation: Activation) -> JSON:
        """As `render`, but a template that is one `${…}` and nothing else keeps its type."""
        if len(self._parts) == 1 and isinstance(self._parts[0], Expression):
            return self._parts[0].evaluate(activation)
        return self.render(activation)


@lru_cache(maxsize=4096)
def compile_template(source: str) -> Template:
    """Compile over `event` and `now`; the same source is compiled once a process."""
    return Template(source)


class JsonTemplate:
    """Any JSON value whose texts are templates; keys are taken as they are."""

    def __init__(self, source: JSON, env: Env | None = None) -> None:
        self._tree = _compile_json(source, env or event_env(), 0)

    def value(self, activation: Activation) -> JSON:
        """The JSON for these variables. Raises EvaluationError."""
        return _fill(self._tree, activation)


def _compile_json(source: JSON, env: Env, depth: int) -> JSON:
    if depth > _DEEPEST:
        raise ExpressionError(f"This is nested deeper than {_DEEPEST} levels.")
    if isinstance(source, str):
        return Template(source, env)
    if isinstance(source, list):
        return [_compile_json(item, env, depth + 1) for item in source]
    if isinstance(source, dict):
        return {key: _compile_json(item, env, depth + 1) for key, item in source.items()}
    return source


def _fill(tree: JSON, activation: Activation) -> JSON:
    if isinstance(tree, Template):
        return tree.value(activation)
    if isinstance(tree, list):
        return [_fill(item, activation) for item in tree]
    if isinstance(tree, dict):
        return {key: _fill(item, activation) for key, item in tree.items()}
    return tree


def _parse(source: str, env: Env) -> tuple[str | Expression, ...]:
    parts: list[str | Expression] = []
    literal = ""
    at = 0
    while (start := source.find("${", at)) >= 0:
        if start and source[start - 1] == "$" and start > at:
            literal += source[at : start - 1] + "${"
            at = start + 2
            continue
        end = closing_brace(source, start + 2)
        if end is None:
            raise ExpressionError("This ${ is never closed by a }.", start + 1)
        literal += source[at:start]
        if literal:
            parts.append(literal)
        parts.append(_compile_part(source[start + 2 : end], start + 2, env))
        literal, at = "", end + 1
    literal += source[at:]
    if literal or not parts:
        parts.append(literal)
    return tuple(parts)


def _compile_part(source: str, offset: int, env: Env) -> Expression:
    try:
        return env.compile(source)
    except ExpressionError as error:
        column = error.column + (offset if error.line == 1 else 0)
        raise ExpressionError(error.says, column, error.line) from None


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
