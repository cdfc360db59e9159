"""Every query: the log, cursors, state, traces, retention. Takes and returns engine values."""
