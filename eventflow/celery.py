"""The Celery application: `celery -A eventflow worker`, `celery -A eventflow beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow.settings")

app = Celery("eventflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["workflows.tasks"], related_name="jobs")
