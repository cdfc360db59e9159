"""What the doors remember: asked for once, however many want it, and only for a while."""

import asyncio
import itertools
import time

import pytest

from workflows.ingest.cache import Cache, Cold, warm

pytestmark = pytest.mark.django_db  # look-ups make sure of their thread's connection

_TURNS = 1_000  # of a request that never gets its answer, and keeps the loop to itself


def test_whoever_asks_at_any_moment_of_a_look_up_gets_its_answer() -> None:
    loads: list[str] = []
    cache: Cache[str, int] = Cache(lambda key: loads.append(key) or 7, seconds=60.0)  # type: ignore[func-returns-value]

    async def ask() -> int:
        turns = 0

        def look() -> int:
            nonlocal turns
            turns += 1
            assert turns < _TURNS
            return cache.known("a")

        return await warm(look)

    async def one_more_at_each_turn_of_the_loop() -> list[int]:
        asking = [asyncio.create_task(ask())]
        while not asking[0].done() and len(asking) < _TURNS:
            asking.append(asyncio.create_task(ask()))
            await asyncio.sleep(0)
        return await asyncio.gather(*asking)

    assert set(asyncio.run(one_more_at_each_turn_of_the_loop())) == {7}
    assert loads == ["a"]


def test_look_ups_that_outlast_each_others_answers_come_to_an_end() -> None:
    caches: list[Cache[str, float]] = [
        Cache(lambda key: time.sleep(0.02) or 7, seconds=0.01)  # type: ignore[func-returns-value]
        for _ in range(3)
    ]
    turns = itertools.count()

    def look() -> list[float]:
        assert next(turns) < _TURNS
        return [cache.known("a") for cache in caches]

    assert asyncio.run(warm(look)) == [7, 7, 7]
    assert next(turns) == len(caches) + 1


def test_an_answer_is_forgotten_in_time_and_a_failure_at_once() -> None:
    answers = iter([ValueError("away"), 1, 2])

    def load(key: str) -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    cache: Cache[str, int] = Cache(load, seconds=0.0)

    async def ask() -> list[int]:
        with pytest.raises(ValueError, match="away"):
            await cache.get("a")
        return [await cache.get("a"), await cache.get("a")]

    assert asyncio.run(ask()) == [1, 2]
    with pytest.raises(Cold):
        cache.known("a")
