"""Why did a condition decide as it did?

The source is split at its outer `&&`, `||`, `!(…)` and parentheses. The leaves are CEL expressions
of their own, and the tree is evaluated by CEL's rules: an error on one side doesn't count when the
other side decides. So the record can tell the value of each part, and what was left out.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from workflows.engine.event import JSON
from workflows.engine.expression import (
    Activation,
    EvaluationError,
    Expression,
    ExpressionError,
    compile_expression,
)
from workflows.engine.expression_says import type_word
from workflows.engine.tokens import Token, depth_change, tokenize

_LONGEST = 200
Path = tuple[str | int, ...]
Row = dict[str, JSON]


class Verdict(NamedTuple):
    """`value` is None when the condition could not be worked out; `error` says why then."""

    value: bool | None
    because: list[Row]
    error: str


class Condition:
    """A compiled condition. Raises ExpressionError for a source that can't be one."""

    def __init__(self, source: str) -> None:
        whole = compile_expression(source, want="bool")
        try:
            self._tree = _split(source, tokenize(source))
        except ExpressionError:  # a part that makes no sense alone: explain it as a whole
            self._tree = _Leaf(source.strip(), whole, _paths(tokenize(source)))

    def decide(self, activation: Activation) -> Verdict:
        """True, false or an error, with a row for each part."""
        rows: list[Row] = []
        value = self._tree.decide(activation, rows)
        if isinstance(value, str):
            return Verdict(None, rows, value)
        return Verdict(value, rows, "")


class _Leaf:
    def __init__(self, text: str, expression: Expression, paths: tuple[tuple[str, Path], ...]):
        self._text, self._expression, self._paths = text, expression, paths

    def decide(self, activation: Activation, rows: list[Row]) -> bool | str:
        row: Row = {"text": self._text, "value": None}
        rows.append(row)
        if values := self._values(activation.event):
            row["values"] = values
        try:
            value = self._expression.evaluate(activation)
        except EvaluationError as error:
            row["error"] = error.says
            return error.says
        row["value"] = value if value is True or value is False else _short(value)
        if value is True or value is False:
            return bool(value)
        row["error"] = f"{self._text} gives {_kind(value)}, not true or false."
        return str(row["error"])

    def skip(self, rows: list[Row]) -> None:
        rows.append({"text": self._text, "value": None, "skipped": True})

    def _values(self, event: Mapping[str, Any]) -> dict[str, JSON]:
        values = {}
        for name, path in self._paths:
            found, value = _look_up(event, path)
            if found:
                values[name] = _short(value)
        return values


class _Not:
    def __init__(self, inner: "_Tree") -> None:
        self._inner = inner

    def decide(self, activation: Activation, rows: list[Row]) -> bool | str:
        value = self._inner.decide(activation, rows)
        return value if isinstance(value, str) else not value

    def skip(self, rows: list[Row]) -> None:
        self._inner.skip(rows)


class _Chain:
    """`&&` (decided by the first false) or `||` (decided by the first true)."""

    def __init__(self, decisive: bool, parts: list["_Tree"]) -> None:
        self._decisive, self._parts = decisive, parts

    def decide(self, activation: Activation, rows: list[Row]) -> bool | str:
        error: str | None = None
        decided = False
        for part in self._parts:
            if decided:
                part.skip(rows)
                continue
            value = part.decide(activation, rows)
            if isinstance(value, str):
                error = error or value
            else:
                decided = value is self._decisive
        if decided:
            return self._decisive
        return error if error is not None else not self._decisive

    def skip(self, rows: list[Row]) -> None:
        for part in self._parts:
            part.skip(rows)


_Tree = _Leaf | _Not | _Chain


def _split(source: str, tokens: list[Token]) -> _Tree:
    if not _has_choice(tokens):
        for operator, decisive in (("||", True), ("&&", False)):
            parts = _parts(tokens, operator)
            if len(parts) > 1:
                return _Chain(decisive, [_split(source, part) for part in parts])
        if tokens and tokens[0].text == "!" and _is_group(tokens[1:]):
            return _Not(_split(source, tokens[2:-1]))
        if _is_group(tokens):
            return _split(source, tokens[1:-1])
    text = source[tokens[0].start : tokens[-1].end] if tokens else ""
    return _Leaf(text, compile_expression(text), _paths(tokens))


def _has_choice(tokens: list[Token]) -> bool:
    """Whether an outer `… ? … : …` binds weaker than anything to split at."""
    depth = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        depth += depth_change(token)
        optional = before is not None and before.text == "."
        if token.text == "?" and depth == 0 and not optional:
            return True
    return False


def _parts(tokens: list[Token], operator: str) -> list[list[Token]]:
    depth = 0
    parts: list[list[Token]] = [[]]
    for token in tokens:
        depth += depth_change(token)
        if depth == 0 and token.kind == "op" and token.text == operator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _is_group(tokens: list[Token]) -> bool:
    """Whether one pair of parentheses encloses all of `tokens`."""
    if len(tokens) < 3 or tokens[0].text != "(":
        return False
    depth = 0
    for index, token in enumerate(tokens):
        depth += depth_change(token)
        if depth == 0:
            return index == len(tokens) - 1
    return False


def _paths(tokens: list[Token]) -> tuple[tuple[str, Path], ...]:
    """The `event.…` paths that are named, each once, without a method called on them."""
    found: dict[str, Path] = {}
    for index, token in enumerate(tokens):
        after_dot = index > 0 and tokens[index - 1].text == "."
        if token.text != "event" or token.kind != "name" or after_dot:
            continue
        path: list[str | int] = []
        at = index + 1
        while at + 1 < len(tokens) and tokens[at].text == "." and tokens[at + 1].kind == "name":
            if at + 2 < len(tokens) and tokens[at + 2].text == "(":
                break
            path.append(tokens[at + 1].text.strip("`"))
            at += 2
        if path:
            found["event." + ".".join(map(str, path))] = tuple(path)
    return tuple(found.items())


def _look_up(event: Mapping[str, Any], path: Path) -> tuple[bool, JSON]:
    value: Any = event
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _short(value: JSON) -> JSON:
    if isinstance(value, (dict, list)):
        text = msgspec.json.encode(value).decode()
        return value if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + "…"
    return value


def _kind(value: JSON) -> str:
    names = {str: "STRING", int: "INT", float: "DOUBLE", list: "LIST", dict: "MAP"}
    return type_word(names.get(type(value), "NULL"))
