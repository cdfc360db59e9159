"""Which processes are counted as those of an installation?"""

import os
import subprocess
from pathlib import Path

from tests.bench.processes import usage
from tests.servers import wait_until


def test_a_process_that_has_ended_and_was_not_waited_for_is_passed_over() -> None:
    with subprocess.Popen(["true"]) as child:
        stat = Path(f"/proc/{child.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z")
        assert usage(os.getpid()).keys() <= {"valkey"}  # another test's, if that came before
