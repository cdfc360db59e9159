"""Is this process alive, and can it accept events? And the figures that Prometheus reads."""

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from workflows.api.exposition import text_of
from workflows.storage import alarms, destinations, disk, metrics, people, sql
from workflows.storage.sqlite.lock import wait_p99


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Events can be accepted: the database answers, knows our tables and has room for more."""
    try:
        sql.fetch("SELECT 1 FROM workflows_head LIMIT 1")
    except DatabaseError as problem:
        return JsonResponse(
            {"ready": False, "detail": f"The database can't be used: {problem}"}, status=503
        )
    if disk.is_low():
        says = f"Less than {disk.floor_bytes() >> 20} MiB are free on the disk of the database."
        return JsonResponse({"ready": False, "detail": says}, status=503)
    return JsonResponse({"ready": True})


def prometheus(request: HttpRequest) -> HttpResponse:
    """Figures of the token's workspace. Needs a bearer token with the scope traces:read."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    token = people.find_token(text.strip()) if kind.lower() == "bearer" else None
    if token is None or not token.may("traces:read"):
        return HttpResponse(
            "Send a token with the scope traces:read: Authorization: Bearer ef_…\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(
        text_of(_families(token)), content_type="text/plain; version=0.0.4; charset=utf-8"
    )


def _families(token: people.TokenRow) -> list[CounterMetricFamily | GaugeMetricFamily]:
    arrivals = CounterMetricFamily(
        "eventflow_node_events", "Arrivals and outcomes.", labels=["flow", "node", "outcome"]
    )
    for flow, node, name, n in metrics.counters(token.workspace_id):
        arrivals.add_metric([flow, node, name], n)
    lag = GaugeMetricFamily("eventflow_lag", "Events a flow has still to take.", labels=["flow"])
    parked = GaugeMetricFamily(
        "eventflow_parked", "Effects and held arrivals that wait.", labels=["flow", "kind"]
    )
    dead = GaugeMetricFamily("eventflow_dead_letters", "Open dead letters.", labels=["flow"])
    failing = GaugeMetricFamily(
        "eventflow_timers_failing",
        "Schedules and simulators that failed at their last moment.",
        labels=["flow"],
    )
    for flow, figures in metrics.flows(token.workspace_id).items():
        lag.add_metric([flow], figures.lag)
        parked.add_metric([flow, "effect"], figures.effects)
        parked.add_metric([flow, "held"], figures.held)
        dead.add_metric([flow], figures.dead)
        failing.add_metric([flow], figures.failing)
    breakers = GaugeMetricFamily(
        "eventflow_breakers_open", "Destinations that are down.", labels=["workspace"]
    )
    breakers.add_metric([token.workspace], destinations.count_open(token.workspace_id))
    waited = GaugeMetricFamily(
        "eventflow_write_lock_wait_seconds_p99",
        "Wait for SQLite's write lock in this web process. Above 0.1: move to PostgreSQL.",
        value=wait_p99(),
    )
    return [
        arrivals,
        lag,
        parked,
        dead,
        failing,
        breakers,
        waited,
        *_accounting(token.workspace_id),
    ]


def _accounting(workspace_id: int) -> list[GaugeMetricFamily]:
    standing = GaugeMetricFamily(
        "eventflow_accounting_alarms", "Alarms that aren't resolved.", labels=["flow"]
    )
    behind = GaugeMetricFamily(
        "eventflow_accounting_unchecked",
        "Events taken whose traces the sweep has still to look at.",
        labels=["flow"],
    )
    missing = GaugeMetricFamily(
        "eventflow_unaccounted", "Arrivals unaccounted for.", labels=["flow", "node", "kind"]
    )
    for flow, checked in alarms.checks(workspace_id).items():
        standing.add_metric([flow], checked.alarms)
        behind.add_metric([flow], checked.unchecked)
    for flow, node, kind, n in alarms.figures(workspace_id):
        missing.add_metric([flow, node, kind], n)
    return [standing, behind, missing]
