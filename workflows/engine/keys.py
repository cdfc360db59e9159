"""Which names stay the same however often something is run again?"""

from hashlib import blake2b

import msgspec

from workflows.engine.event import JSON

_LONGEST = 200


def stable_key(*parts: str | int) -> str:
    """32 hex digits from the parts, each of which counts with its borders."""
    texts = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    framed = b"".join([b"%d:%b" % (len(text), text) for text in texts])
    return blake2b(framed, digest_size=16).hexdigest()


def value_key(value: JSON, *more: str) -> str:
    """32 hex digits for a JSON value; those of 1 and "1" differ."""
    return stable_key(msgspec.json.encode(value, order="sorted").decode(), *more)


def key_text(value: JSON) -> str:
    """A key as people write it: a text as it is, all else as JSON. One that is too long for a
    column, or that has a NUL, is cut, and told apart by its hash."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    if len(text) <= _LONGEST and "\0" not in text:
        return text
    return f"{text[: _LONGEST - 33]}…{stable_key(text)}".replace("\0", "\ufffd")


def stable_random(*parts: str | int) -> float:
    """A number in [0, 1) from the parts."""
    return int(stable_key(*parts)[:13], 16) / 16**13


def effect_key(
    workspace: str, flow: str, node: str, source: str, event_id: str, path: int, nth: int = 0
) -> str:
    """The idempotency key of an effect: without version or attempt, so that a repeat has it too."""
    return stable_key(workspace, flow, node, source, event_id, path, nth)
