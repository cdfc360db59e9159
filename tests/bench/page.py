"""How do figures get into docs/performance.md? Between two comments that name them.

Every table there was written by the command that stands above it, never by hand.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.servers import ROOT

PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench-results"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; columns behind the first are aligned to the right."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def put(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands under this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before = page.read_text()
    if begin not in before:
        sys.exit(f"{page.name} has no place for {name}")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    page.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", before))


def show(name: str, text: str, write: bool) -> None:
    """Print the figures, and keep them in a file; on the page too, if that is wanted."""
    text = f"{text}\n\n{circumstances()}"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    (RESULTS / f"{stamp}-{name.replace(' ', '-')}.md").write_text(f"{text}\n")
    if write:
        put(name, text)


def circumstances(database: str = "") -> str:
    """When this was measured, of which source, and on what. `database`: if not DATABASE_URL."""
    words = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    database = database or os.environ.get("DATABASE_URL", "")
    database = "PostgreSQL" if database.startswith("post") else "SQLite"
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"*{time.strftime('%d %B %Y, %H:%M')}, commit {commit}, {database}, Python"
        f" {platform.python_version()}, {os.cpu_count()} cores ({_processor()}); load averages at"
        f" the end {load}.*"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
