"""How is a CEL expression checked, compiled and evaluated?

The only module that knows `cel-expr-python`. What people should know: a whole number divided by a
whole number stays whole (`7 / 2` is 3; write `double(x) / 2` for 3.5); whole and decimal numbers
mix freely otherwise; a missing key is an error, which `has(event.data.key)` prevents; a list can be
searched for up to 9,999 items, all loops of an expression counted together, and one of at most
2,500 items made into another (`map`, `filter`); what one node makes of one event by expressions has
at most 4 MiB of text; and what could take more than 128 MiB of memory on the way isn't begun.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any, Literal

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from workflows.engine import celtree
from workflows.engine.direct import Unsure, direct, is_whole
from workflows.engine.event import JSON
from workflows.engine.expression_says import say_compile_error, say_evaluation_error, type_word
from workflows.engine.growth import MOST_MEMORY, Growth
from workflows.engine.numbers import overloads
from workflows.engine.paths import Path, get_path
from workflows.engine.plain import MOST_CHARACTERS, Converter, NotPlain, TooLarge

Want = Literal["bool", "any"]

_LONGEST = 10_000
# What can put the same part of an event many times into the result: loops, bindings, repetition.
_MULTIPLIES = re.compile(r"\.\s*(map|transform\w*)\s*\(|cel\s*\.\s*bind|(\bevent\b.*?){9}", re.S)
# Which lists of the event are made into others. CEL copies such a list at each turn: its memory and
# time grow with the square of the length.
_REMAKES = re.compile(r"(?<![\w.)\]])event((?:\s*\.\s*\w+)+?)\s*\.\s*(?:map|filter)\s*\(")
_MOST_REMADE = 2_500
_NO_SPACE = dict.fromkeys(map(ord, " \t\r\n"))
_ITEM = (cel._CelListItemAccessor, cel._CelMapItemAccessor)
_TYPES = {
    "any": cel.Type.DYN,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "time": cel.Type.TIMESTAMP,
}


class ExpressionError(ValueError):
    """The source is wrong: `says` what and how to mend it, `column` (from 1) where."""

    def __init__(self, says: str, column: int = 1, line: int = 1) -> None:
        self.says, self.column, self.line = says, column, line
        place = f"line {line}, column {column}" if line > 1 else f"column {column}"
        super().__init__(f"{says} ({place})")


class EvaluationError(Exception):
    """The expression could not be worked out for this event; `says` why, `kind` groups."""

    def __init__(self, says: str, kind: str = "expression") -> None:
        super().__init__(says)
        self.says, self.kind = says, kind


class Activation:
    """An event bound for expressions. `event` is its CloudEvents object: read, don't change.
    `values` are all that was bound, by name."""

    __slots__ = ("_bind", "_native", "event", "room", "values")

    def __init__(
        self,
        bind: Callable[[Mapping[str, Any]], Any],
        event: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> None:
        self._bind, self.event, self.values = bind, event, values
        self._native: Any = None
        self.room = MOST_CHARACTERS  # that results may still have

    @property
    def native(self) -> Any:
        """What CEL takes; made when it is first asked."""
        if self._native is None:
            self._native = self._bind(self.values)
        return self._native


class Expression:
    """A compiled expression; make it with `compile_expression` or `Env.compile`."""

    __slots__ = ("_direct", "_growth", "_multiplies", "_native", "_remakes", "source")

    def __init__(self, source: str, native: Any) -> None:
        self.source, self._native = source, native
        tree = celtree.read(native.serialize())
        growth = Growth(tree)
        self._growth = None if growth.is_tame else growth
        self._direct = direct(tree)
        self._multiplies = bool(_MULTIPLIES.search(source))
        self._remakes: list[Path] = [
            tuple(path.translate(_NO_SPACE).split(".")[1:]) for path in _REMAKES.findall(source)
        ]

    def evaluate(self, activation: Activation) -> JSON:
        """The value as plain JSON. Raises EvaluationError; never gives a silent default."""
        if self._direct is not None:
            try:
                value = self._direct(activation.values)
                kind = type(value)
                if kind is bool or kind is float or (kind is int and is_whole(value)):
                    return value
                if kind is str and len(value) <= activation.room:
                    activation.room -= len(value)
                    return value
            except (Unsure, KeyError):
                pass
        return self._ask_cel(activation)

    def _ask_cel(self, activation: Activation) -> JSON:
        if self._remakes:
            self._check_lengths(activation)
        if self._growth is not None and (most := self._growth.of(activation.values)) > MOST_MEMORY:
            says = f"For this event it could take {most / 1_048_576:,.0f} MiB of memory"
            most_of_all = f"at most {MOST_MEMORY >> 20} are allowed"
            raise EvaluationError(f"{says}; {most_of_all}: {self.source}", "limit")
        try:
            result = self._native.eval(activation.native)
            value = result.value() if self._multiplies else result.plain_value()
            kind = type(value)
            if kind is bool or (kind is float and isfinite(value)):  # by far the most frequent
                return value
            # An error has a text as its plain value, so only the type tells it from a real text.
            if isinstance(value, str) and result.type() == cel.Type.ERROR:
                raise EvaluationError(say_evaluation_error(value, self.source))
            return self._convert(value, activation)
        except TooLarge as error:
            raise EvaluationError(f"The result {error}: {self.source}", "limit") from None
        except NotPlain as error:
            raise EvaluationError(f"The result {error}: {self.source}") from None
        except (TypeError, SystemError):  # an optional or another type without a Python value
            raise EvaluationError(f"The result has no JSON form: {self.source}") from None
        except (ValueError, RuntimeError) as error:
            raise EvaluationError(say_evaluation_error(str(error), self.source)) from None

    def _check_lengths(self, activation: Activation) -> None:
        for path in self._remakes:
            items = get_path(activation.event, path)
            if isinstance(items, list) and len(items) > _MOST_REMADE:
                raise EvaluationError(
                    f"event.{'.'.join(path)} has {len(items):,} items; map and filter take at most"
                    f" {_MOST_REMADE:,}. Split the event first.",
                    "limit",
                )

    def _convert(self, value: Any, activation: Activation) -> JSON:
        if value is None or isinstance(value, int):
            return value
        convert = _Lazily(activation.room) if self._multiplies else Converter(activation.room)
        made = convert.convert(value, 0)
        activation.room = convert.room
        return made


class _Lazily(Converter):
    """Makes one Python value after another, so that it can stop before they fill the memory. (The
    package's own way makes all of them at once, and is faster.)"""

    def convert(self, value: Any, depth: int) -> JSON:
        """See `to_json`."""
        return super().convert(value.value() if isinstance(value, _ITEM) else value, depth)


class Env:
    """The names an expression may use. Types: any, int, double, time."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._names = tuple(variables)
        self._native = cel.NewEnv(
            variables={name: _TYPES[kind] for name, kind in variables.items()},
            extensions=[
                ext_strings.ExtStrings(),
                ext_math.ExtMath(),
                ext_encoders.ExtEncoders(),
                ext_optional.ExtOptional(),
                ext_bindings.ExtBindings(),
                cel.CelExtension("eventflow.numbers", overloads(cel)),
            ],
        )

    def compile(self, source: str, *, want: Want = "any") -> Expression:
        """Check and compile. Raises ExpressionError; with want="bool" also for a source that
        can't give true or false."""
        if len(source) > _LONGEST:
            raise ExpressionError(f"This is longer than {_LONGEST:,} characters.")
        try:
            native = self._native.compile(source)
        except (ValueError, RuntimeError, TypeError) as error:
            says, line, column = say_compile_error(str(error), self._names)
            raise ExpressionError(says, column, line) from None
        kind = native.return_type().name()
        if want == "bool" and kind not in ("BOOL", "DYN"):
            raise ExpressionError(
                f"This gives {type_word(kind)}; a condition must give true or false."
            )
        if kind.startswith("optional"):
            raise ExpressionError("This may have no value: add .orValue(…) to say what then.")
        return Expression(source, native)

    def bind(self, values: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> Activation:
        """Values for this environment's names; a `time` is given as Unix seconds under `now`."""
        return Activation(self._bind, event or {}, values)

    def _bind(self, values: Mapping[str, Any]) -> Any:
        native = dict(values)
        if "now" in native:
            native["now"] = datetime.fromtimestamp(native["now"], UTC)
        return self._native.Activation(native)


@lru_cache(maxsize=1)
def event_env() -> Env:
    """The environment of nearly all expressions: `event` and `now`."""
    return Env({"event": "any", "now": "time"})


@lru_cache(maxsize=4096)
def compile_expression(source: str, *, want: Want = "any") -> Expression:
    """Compile over `event` and `now`; the same source is compiled once a process."""
    return event_env().compile(source, want=want)


@lru_cache(maxsize=1)
def _key_env() -> Env:
    return Env({"event": "any"})


@lru_cache(maxsize=4096)
def compile_key(source: str) -> Expression:
    """Compile over `event` alone. It gives the same whenever the event comes back from a hold,
    and is evaluated as any other expression."""
    return _key_env().compile(source)


def bind(event: Mapping[str, Any], now: float) -> Activation:
    """Bind a CloudEvents object and the moment (Unix seconds) that `now` shall stand for."""
    return event_env().bind({"event": event, "now": now}, event)
