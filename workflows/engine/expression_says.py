"""How are CEL's error texts put into words that say what to do?"""

import re
from collections.abc import Sequence

_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*?)(?: \[[A-Z_]+\])?$", re.MULTILINE)
_MISSING_KEY = re.compile(r'Key not found in map : "?(.*?)"?$')
_OVERLOAD = re.compile(
    r"[Nn]o matching overloads? (?:found : |for )'?([^'(]+?)'?(?: applied to '| *)\((.*?)\)"
)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_STATUS = re.compile(r"^[A-Z_]+: ")
_TOO_BIG = re.compile(r"Integer value '(-?\d+)' out of range")

_WORDS = {
    "BOOL": "true or false",
    "INT": "a whole number",
    "INT64": "a whole number",
    "UINT": "a whole number",
    "UINT64": "a whole number",
    "DOUBLE": "a decimal number",
    "STRING": "text",
    "BYTES": "bytes",
    "NULL": "null",
    "NULL_TYPE": "null",
    "TIMESTAMP": "a time",
    "DURATION": "a duration",
    "LIST": "a list",
    "MAP": "an object",
    "DYN": "any value",
}


def type_word(name: str) -> str:
    """CEL's name of a type in plain words: `INT` is "a whole number"."""
    return _WORDS.get(name.partition("<")[0].partition("(")[0].upper(), name.lower())


def say_compile_error(message: str, names: Sequence[str]) -> tuple[str, int, int]:
    """What is wrong, and its line and column (from 1)."""
    found = _PLACE.search(message)
    if found is None:
        return _bare(message), 1, 1
    line, column, text = int(found[1]), int(found[2]), found[3]
    if undeclared := _UNDECLARED.search(text):
        known = " and ".join(names) if len(names) < 3 else ", ".join(names)
        return f'"{undeclared[1]}" is not known here: use {known}.', line, column
    if overload := _OVERLOAD.search(text):
        return _mismatch(overload), line, column
    if "<EOF>" in text:
        return "The expression ends too early.", line, column
    return text.partition(" expecting {")[0], line, column


def say_evaluation_error(message: str, source: str) -> str:
    """What went wrong for this event, and what to do about it."""
    if missing := _MISSING_KEY.search(message):
        return _missing(missing[1], source)
    if big := _TOO_BIG.search(message):
        return f"The number {big[1]} in the data is too large for 64 bits: send it as text."
    if overload := _OVERLOAD.search(message):
        return f"{_mismatch(overload)} Expression: {source}"
    if "iteration" in message.lower():
        return f"This searches more than 9,999 items: {source}"
    return f"{_bare(message)}: {source}"


def _missing(key: str, source: str) -> str:
    path = re.search(rf"[A-Za-z_][\w.\[\]\"']*\.{re.escape(key)}\b", source)
    if path is None:
        return f'The data has no "{key}": {source}'
    return f'The event has no "{key}". Test with has({path[0]}) first where it may be absent.'


def _mismatch(overload: re.Match[str]) -> str:
    operator = overload[1].strip().strip("_")
    types = [type_word(part.strip()) for part in re.split(r", (?![^<(]*[>)])", overload[2])]
    if len(types) == 2 and not operator[:1].isalpha():
        return f'"{operator}" does not work between {types[0]} and {types[1]}.'
    return f'"{operator}" does not work with {", ".join(types) or "nothing"}.'


def _bare(message: str) -> str:
    text = _STATUS.sub("", message.partition("\n")[0]).strip().rstrip(".")
    return text[:1].upper() + text[1:]
