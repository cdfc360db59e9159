"""`manage.py up`: the whole installation under one supervising process."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from workflows.management.claim import claim_home
from workflows.management.installation import Installation, Options
from workflows.management.refusal import Refusal

WORKERS = min(2, os.cpu_count() or 1)  # the second is for what one can't keep up with (ADR 26)


class Command(BaseCommand):
    help = "Start Valkey, migrate, and run web, workers and timers until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
        parser.add_argument("--home", type=Path, default=settings.EVENTFLOW_HOME)
        parser.add_argument(
            "--workers",
            type=int,
            default=WORKERS,
            help="worker processes; where there is little to do one does it",
        )
        parser.add_argument("--no-demo", action="store_true", help="no demo workspace")
        parser.add_argument("--first-step", type=int, default=1, help=argparse.SUPPRESS)
        parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._start(options)
        except Refusal as refusal:
            sys.exit(str(refusal))
        except KeyboardInterrupt:  # before everything had started; what had is ended already
            self._say("Stopped.")

    def _start(self, options: dict[str, Any]) -> None:
        home = options["home"].expanduser().resolve()
        if home != settings.EVENTFLOW_HOME:
            _start_over(home)
        if options["workers"] < 1:
            raise Refusal("At least one worker is needed: --workers 1")
        chosen = Options(
            home=home,
            host=options["host"],
            port=options["port"],
            workers=options["workers"],
            demo=settings.EVENTFLOW_DEMO and not options["no_demo"],
            first_step=options["first_step"],
            parent=os.getppid() if options["with_parent"] else None,
        )
        with claim_home(home):
            Installation(chosen, self._say).run()

    def _say(self, text: str) -> None:
        # The terminal or pipe may be gone: that must stop neither this process nor the copying
        # of a child's output.
        with contextlib.suppress(OSError, ValueError):
            self.stdout.write(text)
            self.stdout.flush()


def _start_over(home: Path) -> None:
    """Settings are read once, from the environment: read them again with the chosen home."""
    os.environ["EVENTFLOW_HOME"] = str(home)
    os.execv(sys.executable, sys.orig_argv)
