"""Which database do the tests begin with? An empty one that is migrated, as this leaves it.

`make test` runs it once for each kind of database, and every process of tests takes a copy.
"""

from django.core.management import call_command

from tests import conftest

if __name__ == "__main__":
    assert conftest.MIGRATED is None
    call_command("migrate", interactive=False, verbosity=0)
