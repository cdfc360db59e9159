"""Does the source keep the house rules that no tool knows?"""

import ast
from pathlib import Path

from tests.servers import ROOT

LONGEST_FILE = 400  # lines
BANNED_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def sources(*folders: str) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def docstring_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


EVERY_FILE = sources("eventflow", "workflows", "tests")
MODULES = sources("eventflow", "workflows")
ROOMS = sorted(path.parent for path in (ROOT / "workflows").glob("*/__init__.py"))


def test_no_file_is_too_long() -> None:
    long = [path for path in EVERY_FILE if len(path.read_text().splitlines()) > LONGEST_FILE]
    assert names(long) == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = [
        path for path in EVERY_FILE if BANNED_NAMES & {path.stem, *path.relative_to(ROOT).parts}
    ]
    assert names(vague) == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in MODULES if path.read_text().strip() and not docstring_of(path)]
    assert names(silent) == []


def test_every_room_is_introduced_by_a_sentence() -> None:
    rooms = [room / "__init__.py" for room in ROOMS if room.name != "migrations"]
    wordless = [room for room in rooms if not docstring_of(room).split("\n\n")[0].endswith(".")]
    assert names(wordless) == []
