"""Does a machine that cannot run eventflow get one sentence that says what to do?"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow import bootstrap


def refusal_of(check: Callable[..., None], *words: object) -> str:
    with pytest.raises(bootstrap.Refusal) as caught:
        check(*words)
    return str(caught.value)


@pytest.mark.parametrize("version", [(2, 7), (3, 7), (3, 10)])
def test_an_old_python_is_refused(version: tuple[int, int]) -> None:
    says = refusal_of(bootstrap.check_version, *version)
    assert "3.11" in says and "{}.{}".format(*version) in says and "PYTHON=" in says


@pytest.mark.parametrize("version", [(3, 11), (3, 14), (4, 0)])
def test_a_new_python_is_taken(version: tuple[int, int]) -> None:
    bootstrap.check_version(*version)


def test_a_missing_venv_module_is_refused() -> None:
    says = refusal_of(bootstrap.check_venv_module, ("no_such_module",))
    assert "apt-get install python3-venv" in says


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Path:
    if os.getuid() == 0:  # permissions don't bind root, but not even root makes files here
        return Path("/proc")
    tmp_path.chmod(0o500)
    return tmp_path


def test_a_read_only_folder_is_refused(read_only_folder: Path) -> None:
    says = refusal_of(bootstrap.check_writable, str(read_only_folder / "a" / "b"), "go elsewhere")
    assert str(read_only_folder) in says and says.endswith("go elsewhere")


def test_a_folder_that_does_not_exist_yet_is_taken(tmp_path: Path) -> None:
    bootstrap.check_writable(str(tmp_path / "a" / "b"), "")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("port", ["", "http", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert f"PORT={port} " in refusal_of(bootstrap.check_port, port)


def test_the_oldest_python_is_the_same_everywhere() -> None:
    root = Path(bootstrap.ROOT)
    assert 'requires-python = ">=3.11"' in (root / "pyproject.toml").read_text()
    assert re.search(r"version_info < \(3, 11\)", (root / "Makefile").read_text())
    assert bootstrap.OLDEST == (3, 11)
