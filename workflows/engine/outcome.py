"""What did a node say about one event, all its results taken together?"""

from collections.abc import Callable, Iterator

import msgspec

from workflows.engine.effects import OUTSIDE, Answer, Effect, Publish
from workflows.engine.event import JSON, Event
from workflows.engine.expression import EvaluationError
from workflows.engine.node import (
    Context,
    Delivered,
    Emission,
    Failed,
    Filtered,
    Hold,
    NodeError,
    Result,
    Why,
)

Begin = Callable[[Event, Context], Iterator[Result]]
MOST_EMISSIONS = 1_000


class Said(msgspec.Struct):
    """The results of one call, sorted by kind. With `failed` set the others don't count."""

    emissions: list[Emission] = []
    inside: list[Effect] = []
    ask: Effect | None = None
    hold: Hold | None = None
    filtered: Filtered | None = None
    delivered: Delivered | None = None
    failed: Failed | None = None
    because: JSON = None


def listen(begin: Begin, event: Event, ctx: Context, may_ask: bool) -> Said:
    """Run the node's code to its end. Never raises: what it raises becomes `failed`."""
    said = Said()
    try:
        for result in begin(event, ctx):
            if (
                type(result) is tuple
                and len(result) == 2
                and isinstance(result[0], str)
                and isinstance(result[1], Event)
            ):
                said.emissions.append(result)
                if len(said.emissions) > MOST_EMISSIONS:
                    says = f"The node made more than {MOST_EMISSIONS:,} events of one."
                    raise NodeError("limit", says)
            else:
                _note(said, result, may_ask)
    except NodeError as error:
        said.failed = Failed(error.kind, str(error), detail=error.detail)
    except EvaluationError as error:
        said.failed = Failed(error.kind, error.says)
    except Exception as error:
        said.failed = Failed(f"bug:{type(error).__name__}", str(error) or type(error).__name__)
    return said


def _note(said: Said, result: Result, may_ask: bool) -> None:
    if isinstance(result, Why):
        said.because = result.because
    elif isinstance(result, Filtered):
        said.filtered = result
    elif isinstance(result, Delivered):
        said.delivered = result
    elif isinstance(result, Failed):
        said.failed = said.failed or result
    elif isinstance(result, Hold):
        said.hold = result
    elif isinstance(result, OUTSIDE):
        if said.ask is not None or not may_ask:
            raise NodeError("bug:effects", "The node asked the world twice for one event.")
        said.ask = result
    elif isinstance(result, (Publish, Answer)):
        said.inside.append(result)
    else:
        raise NodeError("bug:result", f"The node yielded a {type(result).__name__}.")
    if said.ask is not None and said.hold is not None:
        raise NodeError("bug:effects", "The node both asked the world and held the event.")
