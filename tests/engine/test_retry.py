"""Is the pause before another attempt what the policy says?"""

import pytest

from workflows.engine.retry import RetryPolicy, decide

POLICY = RetryPolicy(attempts=5, first_seconds=1, factor=2, cap_seconds=5)


@pytest.mark.parametrize(
    ("attempt", "base"),
    [(1, 1), (2, 2), (3, 4), (4, 5)],  # the last one is capped
)
def test_pauses_grow_up_to_the_cap(attempt: int, base: float) -> None:
    pause = decide(POLICY, attempt, seed="s")
    assert pause is not None
    assert 0.8 * base <= pause <= 1.2 * base


@pytest.mark.parametrize("attempt", [5, 6, 100])
def test_after_the_last_attempt_it_gives_up(attempt: int) -> None:
    assert decide(POLICY, attempt, seed="s") is None


def test_the_same_seed_gives_the_same_pause_and_another_one_another() -> None:
    assert decide(POLICY, 1, seed="a") == decide(POLICY, 1, seed="a")
    assert len({decide(POLICY, 1, seed=str(i)) for i in range(20)}) == 20


@pytest.mark.parametrize(
    ("wish", "pause"),
    [(60.0, 60.0), (10_000_000.0, 86_400.0)],  # patience is granted, for a day at most
)
def test_a_destination_that_asks_for_patience_gets_it(wish: float, pause: float) -> None:
    assert decide(POLICY, 1, seed="s", after_seconds=wish) == pause


def test_the_steepest_policy_does_not_overflow() -> None:
    steep = RetryPolicy(attempts=100, factor=10, cap_seconds=300)
    pause = decide(steep, 99, seed="s")
    assert pause is not None
    assert pause <= 360


def test_without_a_limit_of_attempts_it_goes_on() -> None:
    patient = RetryPolicy(attempts=0, factor=10, cap_seconds=300, jitter=0)
    assert decide(patient, 900, seed="s") == 300


@pytest.mark.parametrize(("age", "pause"), [(0.0, 1.0), (9.0, 1.0), (9.5, None)])
def test_no_call_comes_after_the_deadline(age: float, pause: float | None) -> None:
    policy = RetryPolicy(jitter=0, deadline_seconds=10)
    assert decide(policy, 1, seed="s", age=age) == pause


def test_a_factor_of_one_is_a_fixed_pause() -> None:
    fixed = RetryPolicy(first_seconds=7, factor=1, jitter=0)
    assert [decide(fixed, n, seed="s") for n in (1, 2, 3, 4)] == [7.0] * 4
