"""Make data of a text: JSON, CSV, XML or Base64.

CSV becomes a list of objects, named by its first line, or a list of lists. In XML, attributes
become `@name`, elements their text or an object, a list where a name occurs more than once; texts
with a document type are refused. Base64 becomes the text that it stands for. Data that came as
bytes is read as UTF-8 text first.
"""

import base64
import csv
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import Field

from workflows.engine.event import JSON, Event
from workflows.engine.fields import DataPath, OptionalDataPath
from workflows.engine.node import Context, Example, Filter, NodeConfig, NodeError, Port, Result
from workflows.engine.plain import read_json
from workflows.engine.shape import MISSING, get_data, put
from workflows.engine.xmldata import read_xml

_MOST_ROWS = 10_000
_MOST_CELLS = 100_000


class Decode(Filter):
    label, icon = "Decode", "braces"
    outputs = (Port("out", "The event with the decoded data."),)

    class Config(NodeConfig):
        format: Literal["json", "csv", "xml", "base64"] = Field(
            default="json", description="What the text is."
        )
        path: DataPath = Field(default="data", description="Where the text is.")
        into: OptionalDataPath = Field(
            default="", description="Where to put what it says; empty: in its place."
        )
        header: bool = Field(default=True, description="CSV: the first line has the names.")
        delimiter: str = Field(
            default=",", pattern=r"^[^\"\r\n]$", description="CSV: what stands between the cells."
        )

    config: Config
    examples = (
        Example(
            title="A CSV file",
            config={"format": "csv", "path": "data.file", "into": "data.rows"},
            given=[{"file": 'sku,n\na,1\n"b, c",2\n'}],
            expect={
                "out": [
                    {
                        "file": 'sku,n\na,1\n"b, c",2\n',
                        "rows": [{"sku": "a", "n": "1"}, {"sku": "b, c", "n": "2"}],
                    }
                ]
            },
        ),
        Example(
            title="An XML message",
            config={"format": "xml"},
            given=['<order id="7"><item>a</item><item>b</item><paid/></order>'],
            expect={"out": [{"order": {"@id": "7", "item": ["a", "b"], "paid": None}}]},
        ),
        Example(
            title="JSON within JSON, and what isn't",
            config={"path": "data.body"},
            given=[{"body": '{"n": 1}'}, {"body": "{"}],
            expect={"out": [{"body": {"n": 1}}], "error": [{"body": "{"}]},
        ),
        Example(
            title="Base64",
            config={"format": "base64"},
            given=["aGVsbG8="],
            expect={"out": ["hello"]},
        ),
    )

    def summary(self) -> str:
        return f"{self.config.path} as {self.config.format}"

    def handle(self, event: Event, ctx: Context) -> Iterator[Result]:
        text = self._text(event)
        decoders: dict[str, Callable[[str], JSON]] = {
            "json": read_json,
            "csv": self._rows,
            "xml": read_xml,
            "base64": _from_base64,
        }
        try:
            value = decoders[self.config.format](text)
        except (ValueError, csv.Error, RecursionError) as error:
            says = f"{self.config.path} can't be read as {self.config.format}: {error}."
            raise NodeError("decode", says) from None
        data = put(event.data, self.config.into or self.config.path, value)
        yield "out", event.replace(data=data, data_base64=None, datacontenttype="application/json")

    def _text(self, event: Event) -> str:
        if event.data_base64 is not None and self.config.path == "data":
            # Base64 is what the bytes come as; every other format is in them.
            encoded = event.data_base64
            return encoded if self.config.format == "base64" else _from_base64(encoded)
        text = get_data(event, self.config.path)
        if not isinstance(text, str):
            what = "missing" if text is MISSING else "not a text"
            raise NodeError("decode", f"{self.config.path} is {what}.")
        return text

    def _rows(self, text: str) -> JSON:
        lines = csv.reader(text.splitlines(keepends=True), delimiter=self.config.delimiter)
        rows: list[list[str]] = []
        cells = 0
        for row in lines:
            cells += len(row)
            if len(rows) > _MOST_ROWS or cells > _MOST_CELLS:
                raise ValueError(f"more than {_MOST_ROWS:,} rows or {_MOST_CELLS:,} cells")
            if row:
                rows.append(row)
        if not self.config.header:
            return rows
        names, *rest = rows or [[]]
        if len(set(names)) < len(names):
            raise ValueError("two columns have the same name")
        for row in rest:
            if len(row) > len(names):
                raise ValueError(f"a row has {len(row)} cells, but there are {len(names)} names")
        return [dict(zip(names, [*row, *[None] * len(names)], strict=False)) for row in rest]


def _from_base64(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()
