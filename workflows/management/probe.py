"""What does the web process answer, seen from outside?"""

import base64
import http.client
import os

SECONDS = 3.0


def near(host: str) -> str:
    """Where to knock when the web process listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def get(host: str, port: int, path: str) -> tuple[int | None, str]:
    """The status and body of a GET; (None, "") when nothing answers."""
    return _ask(host, port, path, {})


def upgrade(host: str, port: int, path: str) -> int | None:
    """The status with which a WebSocket handshake is answered; None when nothing answers."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Origin": f"http://{near(host)}:{port}",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    return _ask(host, port, path, headers)[0]


def _ask(host: str, port: int, path: str, headers: dict[str, str]) -> tuple[int | None, str]:
    connection = http.client.HTTPConnection(near(host), port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = "" if answer.status == 101 else answer.read(1000).decode(errors="replace")
        return answer.status, body
    except (OSError, http.client.HTTPException):
        return None, ""
    finally:
        connection.close()
