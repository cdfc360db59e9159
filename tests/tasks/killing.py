"""A process that ends between two statements to the database, wherever a test wants it to."""

from typing import Any

import pytest

from workflows.storage import sql


class Killed(BaseException):
    """As if the process had ended here."""


def kill_at(monkeypatch: pytest.MonkeyPatch, nth: int) -> list[int]:
    """Let the nth statement that goes to the database end the process; how many went, so far."""
    seen = [0]
    real = {name: getattr(sql, name) for name in ("execute", "fetch", "_do")}

    def counting(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            seen[0] += 1
            if seen[0] == nth:
                raise Killed
            return real[name](*args, **kwargs)

        return call

    for name in real:
        monkeypatch.setattr(sql, name, counting(name))
    return seen


def end_in(patched: pytest.MonkeyPatch, module: Any, name: str, problem: BaseException) -> None:
    """Let that function end the process wherever it runs an event whose id begins with "deadly"."""
    real = getattr(module, name)

    def run(*args: Any, **more: Any) -> Any:
        if any(one.event.id.startswith("deadly") for one in more["arrivals"]):
            raise problem
        return real(*args, **more)

    patched.setattr(module, name, run)
