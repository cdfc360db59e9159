"""What a process has learned of how much goes well in one batch."""

import pytest

from workflows.tasks.batches import Sizes
from workflows.tasks.choice import BATCH


@pytest.mark.parametrize(
    ("batches", "events"),
    [
        ([], 56),  # nothing known: each may call once
        ([(100, 100)], 56),
        ([(100, 50)], 112),
        ([(100, 200)], 28),
        ([(100, 5)], BATCH),
        ([(500, 0)], -1),  # these never call: nothing needs to be smaller for them
        ([(100, 0), (100, 50)], 112),  # what was last counts, if it was many
        ([(100, 100), (50, 0)], 112),
    ],
)
def test_a_batch_has_as_many_events_as_lead_to_the_calls_that_may_be_made(
    batches: list[tuple[int, int]], events: int
) -> None:
    sizes = Sizes()
    for some, calls in batches:
        sizes.note_calls(7, some, calls)
    assert sizes.ahead(7, 56) == events
