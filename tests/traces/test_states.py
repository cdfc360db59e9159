"""Which states does a trace have? The same ones wherever they are told."""

import re

from tests.servers import ROOT
from workflows.storage.tracepages import STATES


def test_the_editor_offers_the_states_that_traces_have_and_no_others() -> None:
    source = (ROOT / "frontend/src/types.ts").read_text()
    (union,) = re.findall(r"export type RowState = (.*);", source)
    assert set(re.findall(r'"(\w+)"', union)) == {"queued", *STATES}
