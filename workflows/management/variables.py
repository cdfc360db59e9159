"""Which environment variables are there, what does each do, and which ones are strangers?"""

from collections.abc import Iterable

KNOWN = {
    "DATABASE_URL": ("SQLite in the home", "the database, e.g. postgres://user@host/name"),
    "REDIS_URL": ("the embedded Valkey", "a running Redis or Valkey, 6.2 or newer"),
    "CELERY_BROKER_URL": ("REDIS_URL", "where Celery's messages go: Redis or RabbitMQ"),
    "SECRET_KEY": ("made once, kept in the home", "signs sessions and seals connections"),
    "PORT": ("8000", "the port of the web process"),
    "EVENTFLOW_HOME": (".eventflow", "the data folder"),
    "EVENTFLOW_DEMO": ("1", "0 for no demo workspace"),
    "EVENTFLOW_ALLOWED_HOSTS": ("localhost,127.0.0.1,[::1]", "names the web process answers to"),
    "EVENTFLOW_TRUSTED_ORIGINS": ("", "other origins whose forms are accepted, with scheme"),
    "EVENTFLOW_HTTP_ALLOW": ("", "networks that flows may call although they are private"),
    "EVENTFLOW_TASK_BROKERS": ("", "Celery brokers that flows may send tasks to: name=url, …"),
    "EVENTFLOW_DISK_FLOOR": ("256", "MiB on SQLite's disk below which events are refused"),
    "EVENTFLOW_SECURE": ("0", "1 when served over HTTPS only, behind a proxy"),
    "EVENTFLOW_SMTP_HOST": ("localhost", "the mail server"),
    "EVENTFLOW_SMTP_PORT": ("25", "its port"),
    "EVENTFLOW_SMTP_USER": ("", "its user name"),
    "EVENTFLOW_SMTP_PASSWORD": ("", "its password"),
    "EVENTFLOW_SMTP_TLS": ("0", "1 for STARTTLS"),
    "EVENTFLOW_SMTP_FROM": ("eventflow@localhost", "the sender's address"),
    "EVENTFLOW_LOG": ("INFO", "the lowest level that is logged"),
}
"""Name: (default, meaning)."""


def unknown_names(environment: Iterable[str]) -> list[str]:
    """The `EVENTFLOW_*` names that nothing reads: most likely typing mistakes."""
    return sorted(
        name for name in environment if name.startswith("EVENTFLOW_") and name not in KNOWN
    )
