"""How is a task of another system's Celery workers sent? As a message to that system's broker.

The brokers are named by the site (`EVENTFLOW_TASK_BROKERS`), so that flows can reach no others.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence

from celery import Celery
from kombu.exceptions import EncodeError, KombuError

from workflows.engine.effects import CeleryTask, Reply

_SOCKET_SECONDS = 5.0


def parse_brokers(words: Sequence[str]) -> dict[str, str]:
    """Name → URL, from words like `billing=redis://host/0`. Raises ValueError."""
    brokers = {}
    for word in words:
        name, equals, url = word.partition("=")
        if not (name.strip() and equals and "://" in url):
            raise ValueError(f'A broker is given as name=url, not as "{name}".')
        brokers[name.strip()] = url.strip()
    return brokers


class CeleryConnector:
    """Performs `CeleryTask`s in threads. The task's id follows from the idempotency key, so that
    whoever sends one twice sends the same id."""

    def __init__(self, brokers: Mapping[str, str]) -> None:
        self._brokers = dict(brokers)
        self._apps: dict[str, Celery] = {}

    async def open(self) -> None:
        """Nothing to open: the first task for a broker connects to it."""

    async def close(self) -> None:
        for app in self._apps.values():
            app.close()

    async def perform(self, effect: CeleryTask, key: str) -> Reply:
        begun = time.perf_counter()
        if effect.connection not in self._brokers:
            says = f'There is no broker "{effect.connection}": see EVENTFLOW_TASK_BROKERS.'
            return Reply(ok=False, error="invalid", message=says)
        task_id = str(uuid.UUID(hex=key))
        try:
            async with asyncio.timeout(effect.timeout_seconds):
                await asyncio.to_thread(_send, self._app(effect.connection), effect, task_id)
        except TimeoutError:
            says = f'The broker "{effect.connection}" did not answer.'
            return Reply(ok=False, error="timeout", message=says)
        except (EncodeError, LookupError, ValueError, ImportError) as problem:
            return Reply(ok=False, error="invalid", message=f"Cannot be sent: {problem}")
        except (KombuError, OSError) as problem:
            says = f'The broker "{effect.connection}" cannot be reached: {problem}'
            return Reply(ok=False, error="connection", message=says)
        took = (time.perf_counter() - begun) * 1000
        return Reply(ok=True, status=202, body=task_id, took_ms=took)

    def _app(self, name: str) -> Celery:
        """The sender for a broker. One that can't be reached fails at once: retries are rows."""
        if name not in self._apps:
            app = Celery(f"eventflow-{name}", broker=self._brokers[name], set_as_current=False)
            app.conf.update(
                broker_connection_timeout=_SOCKET_SECONDS,
                broker_transport_options={
                    "socket_timeout": _SOCKET_SECONDS,
                    "socket_connect_timeout": _SOCKET_SECONDS,
                    "max_retries": 0,
                    "interval_start": 0,
                },
            )
            self._apps[name] = app
        return self._apps[name]


def _send(app: Celery, effect: CeleryTask, task_id: str) -> None:
    app.send_task(
        effect.name,
        args=effect.args,
        kwargs=effect.kwargs,
        task_id=task_id,
        queue=effect.queue or None,
        ignore_result=True,
        retry=False,
    )
