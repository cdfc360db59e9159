"""`manage.py token`: prints a new API token, alone on standard output."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows.storage import people


class Command(BaseCommand):
    help = "Make an API token and print it. It can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scopes", required=True, help=f"some of {','.join(people.SCOPES)}")
        parser.add_argument("--workspace", default=people.MAIN)
        parser.add_argument("--name", default="made by manage.py token")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["workspace"]
        if slug == people.MAIN:
            people.main_workspace()
        workspace_id = people.workspace_id_of(slug)
        if workspace_id is None:
            raise CommandError(f"There is no workspace {slug!r}.")
        scopes = [word.strip() for word in options["scopes"].split(",") if word.strip()]
        try:
            token, _ = people.create_token(workspace_id, options["name"], scopes)
        except ValueError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(token)
