"""How does a command refuse? In one sentence that says what to do."""

from django.core.management.base import CommandError


class Refusal(CommandError):
    """Printed as it stands; the command ends with exit code 1."""
