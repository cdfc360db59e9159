"""How many events of a subscription go well in one batch? What this process has learned of it."""

from workflows.tasks.choice import BATCH

_SLOW_SECONDS = 1.0  # a batch that takes longer is made smaller, lest it outlive its lease
_SELDOM = 0.02  # calls an event


class Sizes:
    """A size for each subscription: `BATCH`, unless something went wrong lately. And for batches
    whose calls are made before their commit: as many as lead to a number of calls."""

    def __init__(self) -> None:
        self._small: dict[int, int] = {}  # only those below BATCH
        self._calls: dict[int, float] = {}  # for an event, lately

    def of(self, subscription_id: int) -> int:
        return self._small.get(subscription_id, BATCH)

    def ahead(self, subscription_id: int, calls: int) -> int:
        """How many events lead to about so many calls; -1 if events seldom lead to any."""
        each = self._calls.get(subscription_id, 1.0)
        return -1 if each < _SELDOM else min(BATCH, int(calls / each))

    def note_calls(self, subscription_id: int, events: int, calls: int) -> None:
        """A batch of so many events asked for so many calls."""
        now = calls / events
        before = self._calls.get(subscription_id, now)
        self._calls[subscription_id] = before + (now - before) * min(1.0, events / 100)

    def begin_with_one(self, subscription_id: int) -> None:
        self._small[subscription_id] = 1

    def went(self, subscription_id: int, seconds: float) -> None:
        """A batch was committed after this time: twice as many, or fewer where that was slow."""
        if seconds > _SLOW_SECONDS:
            self.shrink(subscription_id)
        elif subscription_id in self._small:
            self._small[subscription_id] *= 2
            if self._small[subscription_id] >= BATCH:
                del self._small[subscription_id]

    def shrink(self, subscription_id: int) -> None:
        self._small[subscription_id] = max(1, self.of(subscription_id) // 4)

    def forget(self) -> None:
        """Begin anew, as another process would."""
        self._small.clear()
        self._calls.clear()
