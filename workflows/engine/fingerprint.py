"""Which failures are the same failure? Those with the same fingerprint."""

import hashlib
import re
from typing import Any

_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+|'[^']*'|\"[^\"]*\"", re.IGNORECASE
)


def fingerprint(node: str, failure: dict[str, Any]) -> str:
    """16 hex digits over node, kind and the message without its numbers, ids and quoted parts."""
    shape = _VARYING.sub("#", str(failure.get("message", "")))
    text = "\n".join((node, str(failure.get("kind", "")), shape))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
