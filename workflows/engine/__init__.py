"""Plain Python that decides what happens to events: graphs, plans, runs. No I/O, no framework."""
