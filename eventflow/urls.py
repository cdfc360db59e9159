"""The URL map."""

from django.urls import include, path, re_path

from workflows.api import health
from workflows.api.base import Nothing
from workflows.api.events import EventList, Trigger
from workflows.api.schema import DocsView
from workflows.ingest import views as doors

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
    path("api/v1/events", EventList.as_view(door=doors.events)),
    path("api/v1/flows/<str:slug>/trigger", Trigger.as_view(door=doors.trigger)),
    path("api/v1/", include("workflows.api.urls")),
    path("api/docs", DocsView.as_view(), name="api_docs"),
    re_path(r"^api(/|$)", Nothing.as_view()),
    path("", include("workflows.web.urls")),
]
