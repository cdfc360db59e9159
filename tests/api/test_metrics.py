"""Is what Prometheus reads well-formed, and does it stay cheap?"""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tests import make
from tests.explain import plan_of
from tests.tasks.due import drain
from workflows.api.exposition import text_of
from workflows.storage import metrics as figures

pytestmark = pytest.mark.django_db(transaction=True)

ODD = ["plain", 'a "quoted" one', "back\\slash", "two\nlines", "", "größer"]


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def test_figures_are_written_as_the_library_writes_them() -> None:
    counter = CounterMetricFamily("events", "Some\nhelp.", labels=["node", "flow"])
    gauge = GaugeMetricFamily("waited", "More \\ help.", value=0.25)
    for n, label in enumerate(ODD):
        counter.add_metric([label, "f"], 10 ** (3 * n) + 0.5)
    registry = CollectorRegistry()
    registry.register(_Families([counter, gauge]))
    assert text_of([counter, gauge]) == generate_latest(registry).decode()


def test_open_letters_are_counted_without_reading_them() -> None:
    flow = make.published(make.order_document("orders"))
    make.append(flow, [make.event(str(i), data={}) for i in range(3)])
    drain(flow)
    assert figures.flows(flow.workspace_id)["orders"].dead == 3
    assert "deadletter" not in plan_of(lambda: figures.flows(flow.workspace_id))
