"""The one Django app. Its rooms, and the way of an event through them, are in README.md."""
