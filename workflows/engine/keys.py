"""Which names stay the same however often something is run again?"""

from hashlib import blake2b


def stable_key(*parts: str | int) -> str:
    """32 hex digits from the parts, each of which counts with its borders."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def stable_random(*parts: str | int) -> float:
    """A number in [0, 1) from the parts."""
    return int(stable_key(*parts)[:13], 16) / 16**13


def effect_key(
    workspace: str, flow: str, node: str, source: str, event_id: str, path: int, nth: int = 0
) -> str:
    """The idempotency key of an effect: without version or attempt, so that a repeat has it too."""
    return stable_key(workspace, flow, node, source, event_id, path, nth)
