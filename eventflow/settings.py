"""Every setting, read from environment variables whose defaults run. README lists them."""

import os
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from kombu import Queue

from eventflow.home import home_folder, secret_key, socket_path

BASE_DIR = Path(__file__).resolve().parent.parent
EVENTFLOW_HOME = home_folder(BASE_DIR)
try:
    SECRET_KEY = secret_key(EVENTFLOW_HOME)
except OSError as error:
    raise SystemExit(
        f"eventflow cannot use {EVENTFLOW_HOME} ({error.strerror}): "
        "make it writable, or choose another folder with EVENTFLOW_HOME=…"
    ) from None
DEBUG = False
PORT = int(os.environ.get("PORT", "8000"))
EVENTFLOW_DEMO = os.environ.get("EVENTFLOW_DEMO", "1") != "0"


def _words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


ALLOWED_HOSTS = _words("EVENTFLOW_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = _words("EVENTFLOW_TRUSTED_ORIGINS")
EVENTFLOW_HTTP_ALLOW = _words("EVENTFLOW_HTTP_ALLOW")  # networks a flow may call though private
EVENTFLOW_TASK_BROKERS = _words("EVENTFLOW_TASK_BROKERS")  # name=url: Celery of other systems
EVENTFLOW_DISK_FLOOR = int(os.environ.get("EVENTFLOW_DISK_FLOOR", "256"))  # MiB to stay free
EVENTFLOW_SECURE = os.environ.get("EVENTFLOW_SECURE", "0") == "1"  # served over HTTPS only
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if EVENTFLOW_SECURE else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = EVENTFLOW_SECURE
SECURE_HSTS_SECONDS = 31_536_000 if EVENTFLOW_SECURE else 0

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "workflows",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "eventflow.urls"
ASGI_APPLICATION = "eventflow.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["workflows.web.durations"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]

# --- the database: the truth (DESIGN section 5)
SQLITE_INIT = (
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
    "PRAGMA cache_size=-32000; PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=67108864;"
)


def _database() -> dict[str, Any]:
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{EVENTFLOW_HOME / 'eventflow.sqlite3'}"
    config: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=None))
    if "sqlite" in str(config["ENGINE"]):
        config["ENGINE"] = "workflows.storage.sqlite"
        # Tests use a file too: worker processes share it, and the write lock needs a path.
        config["TEST"] = {"NAME": str(EVENTFLOW_HOME / "test.sqlite3")}
        config["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "cached_statements": 512,  # batches of each size have their own
            "init_command": SQLITE_INIT,
        }
    else:
        config["OPTIONS"] = {
            "server_side_binding": True,  # for statements that are prepared once, and run often
            "prepare_threshold": 3,
            **config.get("OPTIONS", {}),  # of the URL: sslmode, say
            # A worker that is stopped within a transaction must not hold its locks for ever.
            # Between two statements PostgreSQL sees to it, within one storage/sessions.py does.
            "options": "-c idle_in_transaction_session_timeout=10000",
            "application_name": "eventflow",
        }
    return config


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: hints only; lose it and nothing is lost, only late
REDIS_URL = os.environ.get("REDIS_URL") or f"unix://{socket_path(EVENTFLOW_HOME)}?db=0"


def _redis_database(number: int) -> str:
    if REDIS_URL.startswith("unix://"):
        return f"{REDIS_URL.split('?')[0]}?db={number}"
    return REDIS_URL


def _broker() -> str:
    if REDIS_URL.startswith("unix://"):
        return "redis+socket://" + REDIS_URL.removeprefix("unix://").split("?")[0]
    return REDIS_URL


CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [_redis_database(0)], "prefix": "eventflow"},
    }
}

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or _broker()
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_DB_REUSE_MAX = 1_000_000_000  # connections are closed when they break, not after each task
CELERY_TASK_DEFAULT_QUEUE = "eventflow"
# Messages are hints: one that dies with its worker is made good by the sweep. Acknowledging them
# would only do harm: a worker whose broker died in mid-task waits for ever for its one open ack.
CELERY_TASK_QUEUES = [Queue("eventflow", no_ack=True)]
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A tick that waits longer than this is useless: the next one does its work.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "workflows.tick", "schedule": 1.0, "options": {"expires": 2}},
    "prune": {"task": "workflows.prune", "schedule": 60.0, "options": {"expires": 60}},
}

# --- people and pages
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
EMAIL_HOST = os.environ.get("EVENTFLOW_SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EVENTFLOW_SMTP_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EVENTFLOW_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EVENTFLOW_SMTP_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("EVENTFLOW_SMTP_TLS", "0") == "1"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("EVENTFLOW_SMTP_FROM", "eventflow@localhost")

# --- the REST API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "workflows.api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["workflows.api.auth.InWorkspace"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "workflows.api.problems.as_problem",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "eventflow",
    "DESCRIPTION": "Draw event flows, trigger events, follow each one.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("EVENTFLOW_LOG", "INFO")},
}
