"""What must hold before a change is handed in? CI runs exactly this: `make check`.

`--no-tests` leaves out the tests (`make lint`).
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent  # the checkers written in other languages are beside Python


def steps() -> dict[str, list[str]]:
    """Name and command of each check; a command that prints is only heard when it fails."""
    templates = sorted(str(path) for path in (ROOT / "templates").rglob("*.html"))
    return {
        "ruff": [str(TOOLS / "ruff"), "check", "."],
        "format": [str(TOOLS / "ruff"), "format", "--check", "."],
        "mypy": [sys.executable, "-m", "mypy"],
        "contracts": [str(TOOLS / "lint-imports")],
        "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        "templates": [str(TOOLS / "djade"), "--target-version", "5.2", "--check", *templates],
        "front end": [sys.executable, "tests/frontend.py", "lint"],
        "bundle": [sys.executable, "tests/frontend.py", "compare"],
    }


def passes(name: str, command: list[str]) -> bool:
    """Run one check and say how it went."""
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    verdict = "failed" if done.returncode else "ok"
    print(f"{name}: {verdict} ({time.monotonic() - begun:.1f} s)", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def main(words: list[str]) -> int:
    """All checks run, so that one run tells everything; the tests have the last line."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    failed = [name for name, command in steps().items() if not passes(name, command)]
    if failed:
        print(f"Failed checks: {', '.join(failed)}", flush=True)
    if "--no-tests" in words:
        return 1 if failed else 0
    tests = subprocess.call([sys.executable, "tests/run.py"], cwd=ROOT)
    return 1 if failed else tests


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
