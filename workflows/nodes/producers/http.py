"""Take events in by HTTP: from programs through the API, and as webhooks from other services.

A webhook can be checked by a shared token or by GitHub's signature. With GitHub's signature, the
event type becomes `github.<event>` and GitHub's delivery number the event's id, so that a delivery
made twice is accepted once.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from workflows.engine.fields import ConnectionName, OptionalKeyText
from workflows.engine.node import Example, NodeConfig, Producer

_HeaderName = Annotated[
    str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9-]*$", max_length=64)
]


class Http(Producer):
    label, icon = "HTTP", "webhook"

    class Config(NodeConfig):
        signature: Literal["none", "token", "github"] = Field(
            default="none", description="How the sender of a webhook proves who it is."
        )
        secret: ConnectionName = Field(
            default="", description="The connection that holds the token or the signing secret."
        )
        token_header: _HeaderName = Field(
            default="authorization",
            description="The header with the token; a leading “Bearer” doesn't count.",
        )
        event_type: str = Field(
            default="", max_length=200, description="The type of events that don't name their own."
        )
        type_header: _HeaderName = Field(
            default="", description="The header with the event's type; GitHub's is known."
        )
        id_header: _HeaderName = Field(
            default="", description="The header with the event's id; GitHub's is known."
        )
        key: OptionalKeyText = Field(
            default="",
            description="What keeps events in order and together, where they don't say so by"
            " partitionkey or subject; empty: nothing does.",
        )

    config: Config
    examples = (
        Example(
            title="Orders from a shop",
            config={"event_type": "order.created"},
            given=[{"amount": 120}],
            expect={"out": [{"amount": 120}]},
        ),
        Example(
            title="Webhooks from GitHub",
            config={"signature": "github", "secret": "github"},
            given=[{"action": "opened"}],
            expect={"out": [{"action": "opened"}]},
        ),
    )

    def summary(self) -> str:
        checked = {"none": "", "token": "token", "github": "GitHub signature"}
        return ", ".join(filter(None, (self.config.event_type, checked[self.config.signature])))

    def check(self) -> list[tuple[str, str]]:
        if self.config.signature != "none" and not self.config.secret:
            return [("secret", "Choose the connection that holds the secret.")]
        return []

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str | None) -> str | None:
        """Why a webhook must be refused, or None. Header names are in small letters; the time it
        takes doesn't tell how much of a secret was right."""
        kind = self.config.signature
        if kind == "none":
            return None
        if not secret:
            return f'The connection "{self.config.secret}" holds no secret.'
        if kind == "token":
            given = headers.get(self.config.token_header, "")
            given = given[7:] if given[:7].lower() == "bearer " else given
            return _compare(given.strip(), secret, f"header {self.config.token_header}")
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get("x-hub-signature-256", "")
        return _compare(given, f"sha256={digest}", "header x-hub-signature-256")

    def identify(self, headers: Mapping[str, str]) -> dict[str, str]:
        """What the headers say about the event: `id` and `type`, each only if known."""
        github = self.config.signature == "github"
        found = {}
        event_id = headers.get(self.config.id_header or (github and "x-github-delivery") or "")
        if event_id:
            found["id"] = event_id
        event_type = headers.get(self.config.type_header or (github and "x-github-event") or "")
        if event_type:
            found["type"] = f"github.{event_type}" if github else event_type
        elif self.config.event_type:
            found["type"] = self.config.event_type
        return found


def _compare(given: str, wanted: str, place: str) -> str | None:
    if not given:
        return f"The {place} is missing."
    if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode()):
        return None
    return f"The {place} is wrong."
