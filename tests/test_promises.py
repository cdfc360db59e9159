"""Does each test exist that `docs/promises.md` names?"""

import ast
import re
from pathlib import Path

from tests.servers import ROOT

PROMISES = (ROOT / "docs/promises.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PROMISES)


def _tests_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_test_that_is_named_exists() -> None:
    known = {file: _tests_in(ROOT / "tests" / file) for file, _ in NAMED}
    assert len(NAMED) > 50
    assert [f"{file}::{name}" for file, name in NAMED if name not in known[file]] == []


def test_every_promise_has_a_test_or_says_where_else_to_look() -> None:
    rows = [line for line in PROMISES.splitlines() if re.match(r"\| (\d+\. )?[A-Z]", line)]
    assert len(rows) == 7 + 11 + 25
    silent = [row for row in rows if "::" not in row and "Not of the engine" not in row]
    assert silent == []
