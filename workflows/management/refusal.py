"""How does a command refuse? In one sentence that says what to do."""


class Refusal(Exception):
    """The command prints it as it stands and ends with exit code 1."""
