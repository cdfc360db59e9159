"""Node types that decide about events and shape them."""
