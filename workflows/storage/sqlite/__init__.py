"""Django's SQLite backend with a fair lock around every write transaction (DESIGN section 5)."""
