"""JSON as people write it, and what is wrong with it."""

import orjson

from workflows.engine.event import JSON

DEEPEST = 64  # levels, as at the doors


class NotJson(Exception):
    """A text is no JSON; it says why."""


def parse(text: str | bytes) -> JSON:
    """The JSON value. Raises NotJson for what is none, or is nested too deeply."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        where = f" (line {error.lineno}, column {error.colno})" if error.pos else ""
        raise NotJson(f"This is not valid JSON{where}: {error.msg}.") from None
    level = [value]
    for _ in range(DEEPEST):
        level = [item for one in level for item in _inside(one)]
        if not level:
            return value
    raise NotJson(f"This is nested deeper than {DEEPEST} levels.")


def pretty(value: JSON) -> str:
    """JSON as people edit it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _inside(value: JSON) -> list[JSON]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
