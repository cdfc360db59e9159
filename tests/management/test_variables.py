"""Is the table of settings complete?"""

import re

from tests.servers import ROOT
from workflows.management.variables import KNOWN, unknown_names


def test_every_variable_that_is_read_is_in_the_table() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "eventflow").glob("*.py"))
    read = set(re.findall(r'(?:environ\.get|_words)\("([A-Z_]+)"', sources))
    assert read - {"DJANGO_SETTINGS_MODULE"} == set(KNOWN)


def test_a_misspelt_name_is_found() -> None:
    assert unknown_names(["EVENTFLOW_HOME", "EVENTFLOW_HOEM", "PATH"]) == ["EVENTFLOW_HOEM"]
