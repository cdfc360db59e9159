"""The node types, one file each, found by file name. Only decisions; whatever touches the world is an effect."""
