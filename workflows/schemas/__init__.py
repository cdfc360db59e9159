"""Schema registry logic. No storage, no framework."""
