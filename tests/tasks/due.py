"""Does in this process what workers would do: what is due, and what was sent."""

from workflows.models import Flow, Subscription
from workflows.tasks import clock
from workflows.tasks.drain import drain_slice


def fire_all() -> None:
    """All that is due now."""
    while clock.tick():
        pass


def drain(flow: Flow) -> None:
    """Take all events of a flow."""
    for one in Subscription.objects.filter(flow=flow):
        while drain_slice(one.pk):
            pass
