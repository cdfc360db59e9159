"""Which of its moments does a timer still make events for when it comes late? Pure.

A moment that passed more than `GRACE_SECONDS` ago was missed, because nothing ran then: about those
the producer's policy decides. Newer ones are only late and always count.
"""

from typing import NamedTuple

from workflows.engine.node import Producer

GRACE_SECONDS = 10.0
MOST = 200  # moments at a time


class Moments(NamedTuple):
    """The moments to make events for, and when the timer is due after them (None: never). That
    may be in the past: then there is more to make up for."""

    now: list[float]
    following: float | None


def moments(producer: Producer, due: float, now: float) -> Moments:
    """What a timer that was due at `due` has to do at the moment `now`."""
    horizon = now - GRACE_SECONDS
    at: float | None = due
    found: list[float] = []
    if due <= horizon and producer.missed() != "all":
        if producer.missed() == "once":
            found.append(_last(producer, due, horizon))
        at = producer.next_due(horizon)
    while at is not None and at <= now and len(found) < MOST:
        found.append(at)
        at = producer.next_due(at)
    return Moments(found, at)


def _last(producer: Producer, due: float, until: float) -> float:
    """The last moment from `due` to `until`. Goes back in growing steps, so that a long time with
    many moments is not walked through."""
    back = 1.0
    while until - back > due:
        at = producer.next_due(until - back)
        if at is not None and at <= until:
            break
        back *= 4
    else:
        at = due
    last = at
    while at is not None and at <= until:
        last, at = at, producer.next_due(at)
    return last
