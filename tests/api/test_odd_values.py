"""Values that nobody means, sent to replays and dead letters: refused with a reason, never an error
of the server, and never taken for something else."""

from typing import Any

import pytest

from tests import make
from tests.api.client import program
from workflows.models import Redrive, Replay

HALF = "\ud800"  # half of a character: JSON can say it, no database takes it
REPLAY = {"flow": "orders", "mode": "shadow"}
RANGES = [{"partition": n % 8, "start": n, "end": n + 1} for n in range(501)]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("replays", {**REPLAY, "rate": "NaN"}, "rate"),
        ("replays", {**REPLAY, "rate": "Infinity"}, "rate"),
        ("replays", {**REPLAY, "ranges": RANGES}, "ranges"),
        ("replays", {**REPLAY, "type": HALF}, "JSON"),
        ("replays", {**REPLAY, "traces": [f"{2**70}-0-0"]}, "no trace"),
        ("replays", {**REPLAY, "events": [f"1-{2**40}-{2**62}"]}, "no event"),
        ("replays", {**REPLAY, "since": "9999-12-31T23:59:59Z"}, "No event fits"),
        ("dead-letters/redrives", {"all": True, "rate": "nan"}, "rate"),
        ("dead-letters/redrives", {"text": HALF}, "JSON"),
        ("dead-letters/redrives", {"text": "\x00"}, "NUL"),
        ("dead-letters/redrives", {"ids": []}, "which letters"),
        ("dead-letters/redrives", {"ids": [2**63]}, "ids"),
        ("dead-letters/discards", {"ids": [], "dry_run": False}, "which letters"),
    ],
)
def test_what_nobody_means_is_refused(path: str, body: dict[str, Any], word: str) -> None:
    flow = make.published(make.order_document())
    make.append(flow, [make.event("a")])
    api = program("admin")
    answer = api("POST", path, body)
    assert api.answer.status_code in (400, 422)
    assert word in answer["detail"]
    assert not Replay.objects.exists()
    assert not Redrive.objects.exists()
