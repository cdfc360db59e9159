"""How does a bare clone become able to run? `python3 eventflow/bootstrap.py [--dev] FILE ...`.

Makes `.venv`, installs what uv.lock says (with `--dev`, the tools too) and becomes
`.venv/bin/python FILE ...`. Only the standard library, run by path, and in a syntax that an old
Python can read far enough to say that it is too old.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "eventflow.stamp")
UV = "uv==0.13.9"
OLDEST = (3, 11)


class Refusal(Exception):
    """One sentence that says what stands in the way and what to do."""


def check_version(major: int, minor: int) -> None:
    """Raises Refusal for a Python that is too old."""
    if (major, minor) < OLDEST:
        raise Refusal(
            f"eventflow needs Python 3.11 or newer, and this is Python {major}.{minor}: "
            "install a newer one and name it with PYTHON=python3.11"
        )


def check_venv_module(modules: tuple[str, ...] = ("venv", "ensurepip")) -> None:
    """Raises Refusal where the distribution has left out the venv module or a part of it."""
    for name in modules:
        try:
            __import__(name)
        except ImportError:
            raise Refusal(
                f"This Python lacks the module {name}: install it "
                "(on Debian and Ubuntu: apt-get install python3-venv)"
            ) from None


def check_writable(folder: str, remedy: str) -> None:
    """Raises Refusal where no file can be made; the folder itself may not exist yet."""
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Refusal(f"eventflow cannot write to {folder} ({error.strerror}): {remedy}") from None


def check_port(value: str) -> None:
    """Raises Refusal for something that is no port."""
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise Refusal(f"PORT={value} is no port: use a number from 1 to 65535")


def check_surroundings() -> None:
    """Raises Refusal when the product could not start although its packages are there."""
    check_version(*sys.version_info[:2])
    check_port(os.environ.get("PORT") or "8000")
    home = os.environ.get("EVENTFLOW_HOME") or os.path.join(ROOT, ".eventflow")
    check_writable(os.path.abspath(os.path.expanduser(home)), "choose another EVENTFLOW_HOME=…")


def wanted_stamp(dev: bool) -> str:
    """What the stamp file says when the packages are those of the lock file."""
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    kind = "dev" if dev else "run"
    return f"{UV} {digest.hexdigest()} {kind}"


def read_stamp() -> str:
    """What the last installation left; nothing when there was none."""
    try:
        with open(STAMP) as file:
            return file.read().strip()
    except OSError:
        return ""


def _runs(python: str) -> bool:
    """False also for an environment whose Python has been removed or is too old."""
    code = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
    try:
        return subprocess.call([python, "-c", code], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def install(dev: bool) -> None:
    """Bring `.venv` to what the lock file says. Raises Refusal after the tool's own words."""
    if not _runs(PYTHON):
        check_venv_module()
        _run([sys.executable, "-m", "venv", "--clear", VENV])
    _run([PYTHON, "-m", "pip", "install", "--quiet", UV])
    groups = [] if dev else ["--no-dev"]
    # Compiled once here: otherwise each process pays for it, or all do where caches are off.
    _run([PYTHON, "-m", "uv", "sync", "--frozen", "--quiet", "--compile-bytecode", *groups])
    with open(STAMP, "w") as file:
        file.write(wanted_stamp(dev))


def _run(command: list[str]) -> None:
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never", UV_PROJECT_ENVIRONMENT=VENV)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.stderr.buffer.write(done.stdout)
        raise Refusal("Installing the packages failed: what is above says why")


def prepare(dev: bool, steps: int) -> None:
    """Check, install, and tell about both. Tools that are there already are kept."""
    check_version(*sys.version_info[:2])
    say(f"1/{steps} Python {sys.version.split()[0]}")
    begun = time.monotonic()
    stamp = read_stamp()
    dev = dev or stamp.endswith("dev")
    if stamp == wanted_stamp(dev) and _runs(PYTHON):
        say(f"2/{steps} Packages are in place")
        return
    check_writable(VENV, "make the folder writable, or clone into one that is")
    install(dev)
    say(f"2/{steps} Packages installed ({time.monotonic() - begun:.1f} s)")


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def main(words: list[str]) -> None:
    dev = "--dev" in words
    try:
        if not dev:
            check_surroundings()
        prepare(dev, steps=2 if dev else 6)  # `manage.py up` takes the other four
    except Refusal as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        sys.exit(130)
    command = [PYTHON, *(word for word in words if word != "--dev")]
    os.chdir(ROOT)
    os.execv(PYTHON, command)


if __name__ == "__main__":
    main(sys.argv[1:])
