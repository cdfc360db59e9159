"""How many calls may a node make at once, and how many a second?"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Kept over all worker processes together. What is over a limit waits; nothing is dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int = Field(
        default=0,
        ge=0,
        le=1_000,
        title="Calls at once",
        description="Further ones wait; 0 means no limit.",
    )
    per_second: float = Field(
        default=0.0,
        ge=0.0,
        le=10_000.0,
        title="Calls a second",
        description="Further ones wait; 0 means no limit.",
    )

    per: Literal["node", "key"] = Field(
        default="node",
        title="Counted for",
        description="All events of the node together, or those of each key by themselves.",
    )

    def __bool__(self) -> bool:
        return bool(self.at_once or self.per_second)


NO_LIMITS = Limits()
