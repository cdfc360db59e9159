"""The node types, one file each, found by file name. They decide; they touch nothing outside."""
