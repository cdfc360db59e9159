"""How do events get into a shared channel, as a door or another flow would put them there?"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests import make
from workflows.storage import channels, log
from workflows.tasks.context import incoming


def send(slug: str, bodies: Sequence[Mapping[str, Any]]) -> list[log.Position]:
    """Append events to a channel of `main`."""
    channel = channels.find(make.workspace().pk, slug)
    assert channel is not None
    return log.append([incoming(channel, dict(body)) for body in bodies], time.time())
