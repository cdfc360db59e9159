"""Storage tests run on both databases, but for what only one of them has."""

from django.db import connection

if connection.vendor == "sqlite":
    collect_ignore = ["test_sessions.py"]
