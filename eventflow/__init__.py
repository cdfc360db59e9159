"""Wiring only: settings, the ASGI and Celery applications, and the URL map. No logic."""

from eventflow.celery import app as celery_app

__all__ = ["celery_app"]
