"""How is work asked for that may be done later as well? By a message that may get lost."""

import logging
from typing import Any

logger = logging.getLogger(__name__)


def ask_for(task: Any, *args: int, seconds: float) -> bool:
    """Send a Celery task that is worth nothing any more after so many seconds; whether it went.
    Never raises: without Redis the timers ask for whatever still waits."""
    try:
        task.apply_async(args, retry=False, expires=seconds)
    except Exception as problem:  # redis and kombu raise many kinds; all mean "not now"
        logger.warning("%s%r is left to the timers: %s", task.name, args, problem)
        return False
    return True
