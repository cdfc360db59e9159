"""The Celery application: `celery -A eventflow worker`, `celery -A eventflow beat`."""

import os
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from celery.apps.worker import Worker
from celery.bootsteps import StartStopStep
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow.settings")
# Django's checks load every page and serializer, which workers and timers never need: a quarter of
# the time they take to start. `make check` runs them, and `manage.py migrate`.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")


class QuickChannel(redis.Channel):
    """Spares what a message costs in vain; at rest that was a third of a worker's time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: Any = None

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Nothing: our messages wait for no ack (`no_ack`), but Redis was asked to forget each."""

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One client for all messages of a pool: each new one builds a table of 170 commands."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[misc]
        return self._kept


class QuickTransport(redis.Transport):
    Channel = QuickChannel


for _name in ("redis", "rediss"):  # of addresses; other brokers are left as they are
    TRANSPORT_ALIASES[_name] = "eventflow.celery:QuickTransport"


class QuickConnection(Connection):
    """Tries a broker that went away twice a second, and waits for messages in short turns.

    Celery's own pauses before it tries again grow to half a minute, and have no setting; nudges
    would be as late. Its turns last two seconds, and it takes two more of them to stop.
    """

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        quick = {"interval_start": 0.2, "interval_step": 0.1, "interval_max": 0.5}
        return super().ensure_connection(*args, **{**quick, **options})

    def drain_events(self, **options: Any) -> Any:
        return super().drain_events(**{**options, "timeout": 0.25})


class QuickAMQP(AMQP):
    Connection = QuickConnection


class SweepOnConnect(StartStopStep):
    """A worker that has got its broker back looks for backlogs at once: their nudges are lost."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        app.tasks["workflows.sweep"]()


class SteadyWorker(Worker):
    """Reads its queue in a plain loop. Celery's event loop, on Redis, may go on without reading
    after the broker was restarted (seen here, one time in six): the worker then idles for ever."""

    def should_use_eventloop(self) -> bool:
        return False


app = Celery("eventflow", amqp=QuickAMQP)
app.Worker = app.subclass_with_self(SteadyWorker)  # type: ignore[misc]
app.steps["consumer"].add(SweepOnConnect)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workflows.tasks"], related_name="jobs")
