"""The Celery tasks: drain, act, tick, sweep; they build the engine's real context."""
