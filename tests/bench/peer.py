"""Node-RED with the same two flows, if it is installed below BENCH_HOME.

Install it once: `npm i node-red@5.0.7` in $BENCH_HOME/node-red, and `npm i node@24` in
$BENCH_HOME/node when the machine's own Node is older than it wants.
"""

import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.load import Target
from tests.servers import free_port, wait_until

HERE = Path(__file__).resolve().parent


def home() -> Path:
    return Path(os.environ.get("BENCH_HOME") or Path(tempfile.gettempdir()) / "bench-peers")


def is_installed() -> bool:
    return (home() / "node-red/node_modules/node-red/red.js").exists()


class Peer:
    def __init__(self, port: int) -> None:
        self._port = port

    def target(self, flow: str) -> Target:
        return Target(self._port, f"/{flow}")

    def done(self) -> int:
        """Orders over 100 that have reached the end of W2."""
        return int(_get(self._port, "/count"))


def _get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def _answers(port: int) -> bool:
    try:
        return bool(_get(port, "/count"))
    except OSError:
        return False


@contextmanager
def running_peer(folder: Path, sink: str) -> Iterator[Peer]:
    """Node-RED on a free port, calling `sink` at the end of W1."""
    port, user = free_port(), folder / "node-red"
    user.mkdir()
    shutil.copy(HERE / "nodered.json", user / "flows.json")
    (user / "settings.js").write_text(
        f'module.exports={{uiHost:"127.0.0.1",uiPort:{port},flowFile:"flows.json",'
        "telemetry:{enabled:false}};\n"
    )
    node = home() / "node/node_modules/node/bin"
    red = home() / "node-red/node_modules/node-red/red.js"
    environment = {**os.environ, "PATH": f"{node}:{os.environ['PATH']}", "SINK_URL": sink}
    with (folder / "node-red.log").open("w") as log:
        process = subprocess.Popen(
            ["node", str(red), "--userDir", str(user)], env=environment, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: _answers(port), 60, "an answer of Node-RED")
            yield Peer(port)
        finally:
            process.terminate()
            process.wait(20)
