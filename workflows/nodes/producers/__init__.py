"""Node types that bring events in."""
