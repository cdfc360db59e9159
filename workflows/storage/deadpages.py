"""Which dead letters does a list show? Those that the filters leave, newest first, page by page."""

from collections.abc import Sequence

from workflows.models import DeadLetter
from workflows.storage import deadletters, sql
from workflows.storage.deadletters import Wanted
from workflows.storage.pages import Cut, Entry, Place, Search, Span, Stream, gather

_STATES = tuple(DeadLetter.State.values)


def page(
    workspace_id: int, wanted: Wanted, place: Place, limit: int
) -> tuple[list[DeadLetter], Cut]:
    """The letters of one page, each with its flow and version, and what lies around it.

    A page may be short although there is more: where no index serves the filters, it looks back
    for a moment only (`pages.Search`).
    """
    found = deadletters.listed(workspace_id, wanted)
    states = _states(wanted)

    def fetch(looked: Sequence[Span], size: int) -> list[Entry]:
        out = []
        for span in looked:
            some = found.filter(pk__gte=span.low, pk__lt=span.high)
            if state := states[int(span.stream.key)]:
                some = some.filter(state=state)
            ids = some.order_by("pk" if place.newer else "-pk").values_list("pk", flat=True)[:size]
            out += [Entry(span.stream.key, one, float(one)) for one in ids]
        return out

    low, high = _oldest_id(), deadletters.newest_id() + 1
    streams = [Stream(str(i), low, high) for i in range(len(states))] if low else []
    around = gather(streams, place, limit, fetch, None if _is_indexed(wanted) else Search())
    rows = found.in_bulk([entry.number for entry in around.shown])
    return [rows[entry.number] for entry in around.shown if entry.number in rows], around


def _states(wanted: Wanted) -> Sequence[str]:
    """The states that a list is woven from: an index by failure has each apart. "" is all."""
    if wanted.flow and wanted.fingerprint:
        return (wanted.state,) if wanted.state else _STATES
    return ("",)


def _is_indexed(wanted: Wanted) -> bool:
    """Whether an index finds what the filters leave, without looking through other letters."""
    scans = wanted.node or wanted.kind or wanted.since or wanted.outcome
    if wanted.fingerprint:
        return bool(wanted.flow) and not (scans or wanted.redrive)
    if wanted.redrive:
        return not (scans or wanted.flow or wanted.state)
    return bool(wanted.flow) and not scans


def _oldest_id() -> int:
    return int(sql.fetch("SELECT COALESCE(MIN(id), 0) FROM workflows_deadletter")[0][0])
