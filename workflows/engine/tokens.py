"""Where do the pieces of a CEL source begin and end?

Only as much of CEL's grammar as is needed to split a source without being fooled by strings,
brackets or comments. It never raises: CEL itself is the judge of what is wrong.
"""

import re
from typing import NamedTuple

_PATTERN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>
        (?:[bB]?[rR]|[rR][bB])(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')
      | [bB]?(?:\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}
               |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    )
  | (?P<name>[A-Za-z_]\w*|`[^`\n]*`)
  | (?P<number>\d[\w.]*)
  | (?P<op>&&|\|\||[\s\S])
    """,
    re.VERBOSE,
)

_OPEN = frozenset("([{")
_CLOSE = frozenset(")]}")


class Token(NamedTuple):
    """One piece: `kind` is string, name, number or op; `start` and `end` are offsets."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(source: str, start: int = 0) -> list[Token]:
    """All tokens from `start`, spaces and comments left out."""
    return [
        Token(str(m.lastgroup), m.group(), m.start(), m.end())
        for m in _PATTERN.finditer(source, start)
        if m.lastgroup != "space"
    ]


def depth_change(token: Token) -> int:
    """1 for an opening bracket, -1 for a closing one, else 0."""
    if token.kind != "op":
        return 0
    return (token.text in _OPEN) - (token.text in _CLOSE)


def closing_brace(source: str, start: int) -> int | None:
    """The offset of the `}` that closes the `{` just before `start`; None when there is none."""
    depth = 0
    for match in _PATTERN.finditer(source, start):
        if match.lastgroup != "op":
            continue
        text = match.group()
        if text in _OPEN:
            depth += 1
        elif text in _CLOSE:
            if depth == 0:
                return match.start() if text == "}" else None
            depth -= 1
    return None
