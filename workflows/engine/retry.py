"""When is a failed effect made again?"""

from pydantic import BaseModel, ConfigDict, Field

from workflows.engine.keys import stable_random

_LONGEST_WISH = 86_400.0  # a destination may ask for patience (Retry-After), but not for ever


class RetryPolicy(BaseModel):
    """How often, and how patiently, a failed call is made again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(default=5, ge=1, le=100, description="Calls in all; 1 means no retry.")
    first_seconds: float = Field(
        default=1.0, ge=0.0, le=86_400.0, description="Pause before the second call."
    )
    factor: float = Field(
        default=2.0, ge=1.0, le=10.0, description="How much longer each pause is."
    )
    cap_seconds: float = Field(default=300.0, ge=0.0, le=86_400.0, description="The longest pause.")


def decide(
    policy: RetryPolicy, attempt: int, *, seed: str, after_seconds: float = 0.0
) -> float | None:
    """Seconds to wait after call number `attempt` failed, or None to give up.

    The pause is spread by up to a fifth either way, so that what failed together doesn't come back
    together; the same seed and attempt give the same pause. Never less than `after_seconds`.
    """
    if attempt >= policy.attempts:
        return None
    pause = min(policy.cap_seconds, policy.first_seconds * policy.factor ** (attempt - 1))
    spread = 0.8 + 0.4 * stable_random(seed, attempt)
    return max(pause * spread, min(after_seconds, _LONGEST_WISH))
