"""Registers the app with Django."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
