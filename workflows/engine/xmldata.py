"""How does an XML text become JSON, without its dangers?

An element becomes its text, or an object: attributes as `@name`, child elements by name (a list
where a name occurs more than once), and text beside them as `#text`; an empty one is null. A
document type, and with it every entity of its own, is refused.
"""

from typing import Any
from xml.parsers import expat

from workflows.engine.event import JSON

_MOST_ELEMENTS = 50_000
_DEEPEST = 30  # each may be a list within an object: an event holds 64


class XmlError(ValueError):
    """The text can't be read; the words say why."""


class _Reader:
    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[dict[str, Any], list[str]]] = [(self.root, [])]
        self._names: list[str] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS or len(self._open) > _DEEPEST:
            raise XmlError(f"it has more than {_MOST_ELEMENTS:,} elements or {_DEEPEST} levels")
        self._open.append(({f"@{key}": value for key, value in attributes.items()}, []))
        self._names.append(name)

    def text(self, data: str) -> None:
        self._open[-1][1].append(data)

    def end(self, name: str) -> None:
        fields, texts = self._open.pop()
        text = "".join(texts).strip()
        value: JSON = fields
        if not fields:
            value = text or None
        elif text:
            fields["#text"] = text
        _add(self._open[-1][0], self._names.pop(), value)

    def refuse(self, *_: object) -> None:
        raise XmlError("it has a document type, which is not read")


def _add(fields: dict[str, Any], name: str, value: JSON) -> None:
    # No value is itself a list, so a list here is of those with the same name.
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def read_xml(text: str) -> JSON:
    """The document as an object with its root element. Raises XmlError."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise XmlError(f"{error}") from None
    return reader.root
