"""How does an address tell where a page of a list begins?"""

from workflows.storage.pages import Bounds

_MOST_STREAMS = 2_000


def read_bounds(text: str) -> dict[str, int]:
    """`12.4711-13.0.22` as the bounds of the streams `12` and `13.0`; what can't be read is left
    out, for it only leads to page one."""
    bounds: dict[str, int] = {}
    for piece in text.split("-")[:_MOST_STREAMS]:
        stream, _, number = piece.rpartition(".")
        if all(_is_number(part) for part in (*stream.split("."), number)):
            bounds[stream] = int(number)
    return bounds


def write_bounds(bounds: Bounds) -> str:
    return "-".join(f"{stream}.{number}" for stream, number in sorted(bounds.items()))


def read_number(text: str) -> int | None:
    """A whole number from an address, or None when it isn't one."""
    return int(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63
