"""One outside system a file: performs effects. Nothing here decides about events."""
