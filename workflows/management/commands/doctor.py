"""`manage.py doctor`: looks at every part and says what to do."""

import argparse
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from workflows.management.checks import FAIL, OK, examine


class Command(BaseCommand):
    help = "Check database, Redis, workers, timers, web, clock, disk and settings."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="where the web process listens")
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        styles = {OK: self.style.SUCCESS, FAIL: self.style.ERROR}
        for finding in examine(options["host"], options["port"]):
            failed += finding.level == FAIL
            mark = styles.get(finding.level, self.style.WARNING)(f"{finding.level:<5}")
            self.stdout.write(f"{mark}{finding.part:<10} {finding.says}")
        if failed:
            sys.exit(1)
