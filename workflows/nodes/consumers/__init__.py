"""Node types that put events out into the world, described as effects."""
