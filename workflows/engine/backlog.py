"""When is it too early to say that nothing more came? While the flow works through a backlog.

A node that acts when nothing has come in time can't tell by the clock alone: the event may have
been accepted in time and still lie unread. So such a node notes how far a backlog has been read,
and what is due waits until the reading has passed its moment or has come to an end.
"""

from workflows.engine.node import Context, Hold

BACKLOG = "~backlog"  # the state key; nodes that use this name it in `state_keys`
_BEHIND_SECONDS = 5.0  # between acceptance and handling: less is no backlog
_PATIENCE_SECONDS = 5.0  # after this long without old events the backlog is over


def note_backlog(ctx: Context) -> None:
    """Call it for each arrival."""
    if ctx.wall - ctx.now < _BEHIND_SECONDS:
        return
    noted = ctx.state.get(BACKLOG)
    # Partitions are read side by side: the one that is furthest behind counts.
    read = min(noted["read"], ctx.now) if noted and noted["at"] == ctx.wall else ctx.now
    ctx.state.set(BACKLOG, {"at": ctx.wall, "read": read}, ttl_seconds=_PATIENCE_SECONDS)


def wait_for_backlog(ctx: Context, due: float) -> Hold | None:
    """What to yield in `release` instead of acting on what is due; None: it is time to act."""
    noted = ctx.state.get(BACKLOG)
    if not noted or noted["read"] >= due or ctx.wall - noted["at"] >= _PATIENCE_SECONDS:
        return None
    return Hold(ctx.wall + _PATIENCE_SECONDS, "Waits for older events that are not read yet.")
