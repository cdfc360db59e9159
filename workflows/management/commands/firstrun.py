"""`manage.py firstrun`: the first login and the demo, made once; `up` calls it at every start."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from workflows.engine import flowfile
from workflows.storage import firstrun

_DEMO = Path(__file__).resolve().parent.parent / "demo"


class Command(BaseCommand):
    help = "Make the first login and the demo workspace, unless they are there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", dest="demo", action="store_false")

    def handle(self, *args: Any, **options: Any) -> None:
        kept = Path(settings.EVENTFLOW_HOME) / "first_login"
        password = firstrun.ensure_owner()
        if password is not None:
            descriptor = os.open(kept, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(password)
        elif kept.exists():
            password = kept.read_text().strip()
            if not firstrun.still_works(password):
                kept.unlink()
                password = None
        if options["demo"]:
            documents = [
                flowfile.loads(path.read_text(encoding="utf-8"))
                for path in sorted(_DEMO.glob("*.json"))
            ]
            firstrun.ensure_demo(documents)
        if password is not None:
            self.stdout.write(f"Log in as {firstrun.OWNER} with the password {password}")
