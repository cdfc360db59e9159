"""The short form of `make soak`: a while in which everything dies at random."""

import subprocess
import sys

import pytest
from django.db import connection

from tests.servers import ROOT

pytestmark = pytest.mark.serial


def test_nothing_is_lost_disordered_or_repeated_too_often_while_everything_dies() -> None:
    database = {"sqlite": "sqlite", "postgresql": "postgres"}[connection.vendor]
    words = ["--minutes", "0.2", "--database", database, "--seed", "5"]
    if database == "postgres":  # on SQLite all processes have one clock: the machine's
        words += ["--skew", "-90"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.rstrip().endswith("all promises kept")
