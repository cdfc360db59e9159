"""What does a form show at each of its fields: texts, problems, and a remark?"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from workflows.engine.node import Node, Producer
from workflows.engine.problems import Problem
from workflows.web.fields import ROWS, FormField
from workflows.web.formdata import Raw, Row, Typed, default_entry

_RUNS = 3  # of a schedule, that are foretold
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


class Slot(msgspec.Struct, frozen=True):
    """What is said below a field; it changes while somebody types."""

    id: str
    problems: Sequence[Problem] = ()
    remark: str = ""


class ShownRow(msgspec.Struct, frozen=True):
    """One row of a list."""

    path: str
    id: str
    number: int
    parts: Sequence["Shown"]
    first: bool
    last: bool


class Shown(msgspec.Struct, frozen=True):
    """A field as a template draws it."""

    field: FormField
    id: str
    name: str  # of its input
    slot: Slot
    text: str = ""
    raw: bool = False  # as JSON, since its widget can't show the value
    rows: Sequence[ShownRow] = ()
    parts: Sequence["Shown"] = ()
    is_open: bool = False  # of a group

    @property
    def template(self) -> str:
        """Which of templates/workflows/fields/ draws it."""
        kind = self.field.kind
        if self.raw or kind in ("expression", "template"):
            return "workflows/fields/code.html"
        if kind in ROWS:
            return "workflows/fields/rows.html"
        plain = ("text", "number", "duration", "cron", "timezone", "channel")
        return f"workflows/fields/{'input' if kind in plain else kind}.html"

    @property
    def path(self) -> str:
        """Of its value in the configuration."""
        return self.name[2:]

    @property
    def add_id(self) -> str:
        """What formrows calls its button for a further row."""
        return f"{self.id}-add"

    @property
    def lines(self) -> int:
        """How high a box for its text starts."""
        least = max(self.field.lines, 3 if self.raw else 1)
        return min(max(least, self.text.count("\n") + 1), 14)

    @property
    def is_number(self) -> bool:
        """Whether a number field can show it; what isn't a number must stay to be seen."""
        if self.field.kind not in ("number", "duration"):
            return False
        try:
            float(self.text or 0)
        except ValueError:
            return False
        return True


class Painter(msgspec.Struct, frozen=True):
    """Shows a form with the problems that were found, by the ids of their fields."""

    problems: Mapping[str, Sequence[Problem]]
    node: Node | None = None  # when it can run: to foretell what it will do
    now: float = 0.0
    channels: Collection[str] = ()  # that are there

    def show(
        self, fields: Iterable[FormField], typed: Typed, path: str = "", place: str = "f"
    ) -> list[Shown]:
        """All the fields, in their order."""
        return [self._show(field, typed, f"{path}{field.name}", place) for field in fields]

    def _show(self, field: FormField, typed: Typed, path: str, place: str) -> Shown:
        spot = f"{place}-{field.name}"
        entry = typed.get(field.name)
        if entry is None:
            entry = default_entry(field)
        if isinstance(entry, Raw):
            slot = self._slot(spot)
            return Shown(field, spot, f"j.{path}", slot, text=entry.text, raw=True)
        if field.kind == "json":
            return Shown(field, spot, f"j.{path}", self._slot(spot), raw=True)
        if isinstance(entry, dict):
            parts = self.show(field.parts, entry, f"{path}.", spot)
            is_open = any(slot.problems for part in parts for slot in slots([part]))
            slot = self._slot(spot, "" if field.name not in typed else _glance(parts))
            return Shown(field, spot, f"c.{path}", slot, parts=parts, is_open=is_open)
        if isinstance(entry, list):
            rows = self._rows(field, entry, path, spot)
            return Shown(field, spot, f"c.{path}", self._slot(spot), rows=rows)
        slot = self._slot(spot, self._remark(field, entry))
        return Shown(field, spot, f"c.{path}", slot, text=entry)

    def _rows(
        self, field: FormField, rows: Sequence[Row], path: str, spot: str
    ) -> Sequence[ShownRow]:
        shown = []
        for index, row in enumerate(rows):
            typed: Typed = {**row}
            parts = self.show(field.parts, typed, f"{path}.{index}.", f"{spot}-{index}")
            last = index == len(rows) - 1
            shown.append(
                ShownRow(f"{path}.{index}", f"{spot}-{index}", index + 1, parts, index == 0, last)
            )
        return shown

    def _slot(self, spot: str, remark: str = "") -> Slot:
        return Slot(f"{spot}-says", self.problems.get(spot, ()), remark)

    def _remark(self, field: FormField, text: str) -> str:
        if field.kind == "duration":
            return in_words(text)
        if field.kind == "cron" and isinstance(self.node, Producer):
            return next_runs(self.node, self.now)
        if field.kind == "channel" and self.node and text not in self.channels:
            return "There is no such channel yet: publishing the flow makes it."
        return ""


def slots(shown: Iterable[Shown]) -> Iterator[Slot]:
    """Every slot of these fields, those of rows and groups included."""
    for one in shown:
        yield one.slot
        yield from slots(one.parts)
        for row in one.rows:
            yield from slots(row.parts)


def in_words(seconds: str) -> str:
    """A longer duration in the largest unit that divides it, or that is near: "90 min"."""
    try:
        value = float(seconds)
    except ValueError:
        return ""
    for size, unit in _UNITS:
        if size <= value < float("inf") and value * 10 % size == 0:
            return f"= {value / size:g} {unit}"
    return ""


def next_runs(node: Producer, now: float) -> str:
    """When a schedule comes due next, in its own time zone."""
    name = str(getattr(node.config, "timezone", "UTC"))
    dues: list[float] = []
    while len(dues) < _RUNS:
        due = node.next_due(dues[-1] if dues else now)
        if due is None:
            break
        dues.append(due)
    moments = [datetime.fromtimestamp(due, UTC).astimezone(ZoneInfo(name)) for due in dues]
    if not moments:
        return ""
    clock = "%H:%M:%S" if any(moment.second for moment in moments) else "%H:%M"
    texts = [moment.strftime(f"%a %-d %b {clock}") for moment in moments]
    return f"Next: {', '.join(texts)} ({name})"


def _glance(parts: Sequence[Shown]) -> str:
    return ", ".join(
        f"{part.field.label.lower()} {part.text}{part.field.unit}" for part in parts if part.text
    )
