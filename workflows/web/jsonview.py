"""How is JSON shown to people? Indented, coloured by kind, and compared line by line."""

import json
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

_COLOURED = 40_000  # characters; what is longer is shown plain
_AROUND = 2  # lines shown around a change
_COMPARED = 1_500  # lines; what is longer is shown without a comparison
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*|\btrue\b|\bfalse\b|\bnull\b)')


class Line(NamedTuple):
    """A line of a comparison. `kind` is "ins", "del", "" for what stayed, "gap" for lines that
    stayed and are left out."""

    kind: str
    text: str


def pretty(value: Any) -> str:
    """Indented JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def coloured(value: Any) -> SafeString:
    """Indented JSON as HTML: keys, texts and numbers in their colours, everything escaped."""
    text = pretty(value)
    if len(text) > _COLOURED:
        return escape(text)
    return format_html_join("", "{}{}{}", _spans(text))


def compare(before: Any, after: Any) -> list[Line]:
    """The lines that are new in `after` and those of `before` that are gone, with some around."""
    a, b = pretty(before).splitlines(), pretty(after).splitlines()
    if len(a) + len(b) > _COMPARED:
        return [Line("gap", f"{len(b):,} lines: too many to compare")]
    out: list[Line] = []
    plain_a, plain_b = ([line.rstrip(",") for line in lines] for lines in (a, b))
    for tag, i, j, k, m in SequenceMatcher(None, plain_a, plain_b, autojunk=False).get_opcodes():
        if tag == "equal":
            out += _around([Line("", text) for text in b[k:m]], k == 0, m == len(b))
        else:
            out += [Line("del", text) for text in a[i:j]]
            out += [Line("ins", text) for text in b[k:m]]
    return out


def _around(same: list[Line], is_first: bool, is_last: bool) -> list[Line]:
    """The ends of a run that stayed the same, next to what changed."""
    before = 0 if is_first else _AROUND
    after = 0 if is_last else _AROUND
    if len(same) <= before + after + 1:
        return same
    return [*same[:before], Line("gap", "…"), *same[len(same) - after :]]


def short(value: Any, length: int = 80) -> str:
    """A value in one line, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= length else text[: length - 1] + "…"


def _spans(text: str) -> Iterator[tuple[SafeString, SafeString, str]]:
    at = 0
    for match in _TOKEN.finditer(text):
        string, colon, other = match.groups()
        kind = "number" if other else "key" if colon else "string"
        span = format_html('<span class="code-{}">{}</span>', kind, string or other)
        yield escape(text[at : match.start()]), span, colon or ""
        at = match.end()
    yield escape(text[at:]), SafeString(""), ""
