"""What is an event, and how does it look as CloudEvents JSON?

Source: CloudEvents 1.0.2 core and JSON format. Attribute names are the specification's.
"""

from typing import Any, Self

import msgspec

JSON = Any  # None, bool, int, float, str, list or dict of the same: what orjson.loads gives

_OPTIONAL = ("subject", "datacontenttype", "dataschema", "partitionkey", "traceparent")
_REQUIRED = ("specversion", "id", "source", "type", "time")
_KNOWN = frozenset((*_REQUIRED, *_OPTIONAL, "data", "data_base64"))


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable event. `data` must not be changed in place: share freely, replace to alter."""

    id: str
    source: str
    type: str
    time: str  # RFC 3339, as sent, else the time of acceptance
    accepted_at: float  # Unix seconds, UTC: "now" for everything the engine decides
    data: JSON = None
    data_base64: str | None = None  # set instead of `data` when the payload isn't JSON or text
    subject: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    partitionkey: str | None = None
    traceparent: str | None = None
    extensions: dict[str, Any] = msgspec.field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The CloudEvents JSON object (structured mode), attributes that are unset left out."""
        out: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
        }
        if self.subject is not None:
            out["subject"] = self.subject
        if self.datacontenttype is not None:
            out["datacontenttype"] = self.datacontenttype
        if self.dataschema is not None:
            out["dataschema"] = self.dataschema
        if self.partitionkey is not None:
            out["partitionkey"] = self.partitionkey
        if self.traceparent is not None:
            out["traceparent"] = self.traceparent
        if self.extensions:
            out.update(self.extensions)
        if self.data_base64 is not None:
            out["data_base64"] = self.data_base64
        else:
            out["data"] = self.data
        return out

    @classmethod
    def from_dict(cls, body: dict[str, Any], accepted_at: float) -> Self:
        """Read back what `as_dict` wrote. Trusts its input: doors check before they store."""
        is_plain = body.keys() <= _KNOWN  # by far the most frequent
        return cls(
            id=body["id"],
            source=body["source"],
            type=body["type"],
            time=body["time"],
            accepted_at=accepted_at,
            data=body.get("data"),
            data_base64=body.get("data_base64"),
            subject=body.get("subject"),
            datacontenttype=body.get("datacontenttype"),
            dataschema=body.get("dataschema"),
            partitionkey=body.get("partitionkey"),
            traceparent=body.get("traceparent"),
            extensions={} if is_plain else {k: v for k, v in body.items() if k not in _KNOWN},
        )

    def replace(self, **changes: Any) -> "Event":
        """A copy with `changes`; the way every filter alters an event."""
        return msgspec.structs.replace(self, **changes)
