"""Plain Python that decides what happens to events: graphs, plans, runs, expressions. No I/O, no framework."""
