"""How does a door say no? With a problem that tells what to do (RFC 9457)."""

from typing import Any

import orjson

_TITLES = {
    400: "The request can't be read",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Wrong method",
    409: "Not possible now",
    413: "Too large",
    415: "Unknown content type",
    422: "Not an event",
    429: "Too much at once",
    503: "Not now",
    507: "No room",
}


class Problem(Exception):
    """An answer other than success. `detail` is for people and says how to mend it."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more

    def as_dict(self) -> dict[str, Any]:
        return {
            "type": "about:blank",
            "title": _TITLES.get(self.status, "Problem"),
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }

    def body(self) -> bytes:
        return orjson.dumps(self.as_dict())
