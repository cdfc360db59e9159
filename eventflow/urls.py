"""The URL map."""

from django.urls import include, path

from workflows.api import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
    path("", include("workflows.web.urls")),
]
