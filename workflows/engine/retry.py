"""When is a failed effect made again?"""

from pydantic import BaseModel, ConfigDict, Field

from workflows.engine.keys import stable_random

_LONGEST_WISH = 86_400.0  # a destination may ask for patience (Retry-After), but not for ever
_MONTH = 2_592_000.0


class RetryPolicy(BaseModel):
    """How often, and how patiently, a failed call is made again. A factor of 1 is a fixed pause."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(
        default=5, ge=0, le=1_000, description="Calls in all; 1 means no retry, 0 no limit."
    )
    first_seconds: float = Field(
        default=1.0,
        ge=0.0,
        le=86_400.0,
        title="First pause",
        description="Before the second call.",
    )
    factor: float = Field(
        default=2.0, ge=1.0, le=10.0, title="Growth", description="How much longer each pause is."
    )
    cap_seconds: float = Field(
        default=300.0,
        ge=0.0,
        le=86_400.0,
        title="Longest pause",
        description="However often it has failed.",
    )
    jitter: float = Field(
        default=0.2, ge=0.0, le=1.0, description="Part of each pause by which it may differ."
    )
    deadline_seconds: float = Field(
        default=0.0,
        ge=0.0,
        le=_MONTH,
        description="No further call this long after the first one was due; 0 means no limit.",
    )


def decide(
    policy: RetryPolicy, attempt: int, *, seed: str, after_seconds: float = 0.0, age: float = 0.0
) -> float | None:
    """Seconds to wait after call number `attempt` failed, or None to give up.

    The pause is spread by the jitter either way, so that what failed together doesn't come back
    together; the same seed and attempt give the same pause. Never less than `after_seconds`. None
    also when the next call would come after the deadline; the first one was due `age` seconds ago.
    """
    if policy.attempts and attempt >= policy.attempts:
        return None
    spread = 1.0 + policy.jitter * (2.0 * stable_random(seed, attempt) - 1.0)
    pause = max(_pause(policy, attempt) * spread, min(after_seconds, _LONGEST_WISH))
    if policy.deadline_seconds and age + pause > policy.deadline_seconds:
        return None
    return pause


def _pause(policy: RetryPolicy, attempt: int) -> float:
    try:
        return min(policy.cap_seconds, policy.first_seconds * policy.factor ** (attempt - 1))
    except OverflowError:  # the power of a thousandth attempt
        return policy.cap_seconds
