"""The turn-taking of SQLite writers: first come, first served; never two at once."""

import multiprocessing
import threading
from pathlib import Path

import pytest
from django.db import connection

from workflows.storage import sql
from workflows.storage.sqlite.lock import WriteLock, write_lock


def test_waiting_threads_get_their_turn_in_the_order_they_came(tmp_path: Path) -> None:
    lock = WriteLock(str(tmp_path / "lock"))
    order: list[int] = []
    lock.acquire()
    threads = []
    for n in range(8):
        waiting = len(lock._queue)
        thread = threading.Thread(target=lambda n=n: _turn(lock, order, n))
        thread.start()
        while len(lock._queue) == waiting:
            pass
        threads.append(thread)
    lock.release()
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))


def _turn(lock: WriteLock, order: list[int], n: int) -> None:
    lock.acquire()
    order.append(n)
    lock.release()


def _count(path: str, counter: str, times: int) -> None:
    lock = WriteLock(path)
    file = Path(counter)
    for _ in range(times):
        lock.acquire()
        file.write_text(str(int(file.read_text()) + 1))
        lock.release()


def test_processes_never_hold_it_together(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_count, args=(str(tmp_path / "lock"), str(counter), 200))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert counter.read_text() == "600"


def _forked(path: str, ready: object, out: object) -> None:
    lock = WriteLock(path)
    lock.acquire()
    child = multiprocessing.get_context("fork").Process(target=_child, args=(lock, out))
    child.start()
    child.join(0.3)
    out.put("parent" if child.is_alive() else "child got in")  # type: ignore[attr-defined]
    lock.release()
    child.join(10)


def _child(lock: WriteLock, out: object) -> None:
    lock.acquire()
    out.put("child")  # type: ignore[attr-defined]
    lock.release()


def test_a_forked_child_does_not_share_its_parents_turn(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    out = spawn.Queue()
    process = spawn.Process(target=_forked, args=(str(tmp_path / "lock"), None, out))
    process.start()
    # Two processes write to the queue, so what they say may come in either order.
    assert sorted([out.get(timeout=20), out.get(timeout=20)]) == ["child", "parent"]
    process.join(10)


def test_who_wont_wait_long_gets_the_turn_only_if_it_is_free(tmp_path: Path) -> None:
    one, other = WriteLock(str(tmp_path / "lock")), WriteLock(str(tmp_path / "lock"))
    assert one.acquire_soon(0.0)
    assert not one.acquire_soon(20.0), "another thread has it: not waited for at all"
    assert not other.acquire_soon(0.0), "another process has it"
    one.release()
    assert other.acquire_soon(0.0)
    other.release()
    assert one.acquire_soon(0.0)
    one.release()


def test_who_waits_a_little_gets_the_turn_that_another_process_gives_back(tmp_path: Path) -> None:
    one, other = WriteLock(str(tmp_path / "lock")), WriteLock(str(tmp_path / "lock"))
    assert one.acquire_soon(0.0)
    giving_back = threading.Timer(0.02, one.release)
    giving_back.start()
    assert other.acquire_soon(20.0)
    other.release()
    giving_back.join()


def _asks(query: str, out: list[object]) -> None:
    out.append(sql.find_many(query, "n", [(1,), (2,)]))
    connection.close()


@pytest.mark.sqlite_alone
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("query", "waits"),
    [
        ("SELECT v.n FROM v", False),
        ("UPDATE workflows_flow SET paused = paused FROM v WHERE id = v.n RETURNING id", True),
    ],
)
def test_of_statements_about_many_rows_only_those_that_write_wait_for_their_turn(
    query: str, waits: bool
) -> None:
    lock = write_lock(str(connection.settings_dict["NAME"]))
    out: list[object] = []
    thread = threading.Thread(target=_asks, args=(query, out))
    lock.acquire()
    try:
        thread.start()
        thread.join(0.3 if waits else 20)
        assert thread.is_alive() == waits
    finally:
        lock.release()
    thread.join(20)
    assert len(out) == 1
