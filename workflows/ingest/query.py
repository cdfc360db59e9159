"""What does a request's query ask for? What a door doesn't know it refuses."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from workflows.ingest.problems import Problem

_MOST_WAIT = 60.0  # seconds


def options_of(query: str, known: tuple[str, ...]) -> dict[str, str]:
    """The query's parameters. Raises Problem for one that isn't known."""
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise Problem(400, "The query has too many parameters.") from None
    for name in options:
        if name not in known:
            raise Problem(400, f"Unknown query parameter {name[:40]!r}; known: {', '.join(known)}.")
    return options


def is_on(options: Mapping[str, str], name: str) -> bool:
    """Whether a parameter says yes."""
    return options.get(name, "").lower() in ("1", "true", "yes")


def seconds_of(text: str) -> float:
    """How long a caller wants to wait. Raises Problem."""
    try:
        seconds = float(text)
    except ValueError:
        raise Problem(400, "?wait= is a number of seconds.") from None
    if not 0 <= seconds <= _MOST_WAIT:
        raise Problem(400, f"?wait= may be 0 to {_MOST_WAIT:g} seconds.")
    return seconds
