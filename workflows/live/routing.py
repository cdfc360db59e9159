"""Where do sockets lead? Sessions are read, and only our own pages may connect."""

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from workflows.live.consumers import FlowConsumer

sockets = AllowedHostsOriginValidator(
    AuthMiddlewareStack(
        URLRouter([path("ws/<slug:workspace>/flows/<slug:slug>", FlowConsumer.as_asgi())])
    )
)
