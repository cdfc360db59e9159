"""The ASGI application: lean doors, sockets, and Django behind them.

`uvicorn eventflow.asgi:application --http eventflow.asgi:DoorProtocol` serves it. Without that
protocol, and by other servers, the doors are slower.
"""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from workflows.ingest.protocol import DoorProtocol as DoorProtocol
from workflows.ingest.views import doors
from workflows.live.routing import sockets


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Send each connection where it belongs."""
    if scope["type"] == "websocket":
        await sockets(scope, receive, send)
    elif scope["type"] == "http" and doors.takes(scope):
        await doors(scope, receive, send)
    elif scope["type"] == "http":
        await django_application(scope, receive, send)
