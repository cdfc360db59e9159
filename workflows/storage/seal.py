"""How are secrets kept? Encrypted with a key that comes from SECRET_KEY (Fernet: AES and HMAC).

Without the SECRET_KEY that sealed them they can't be read: keep it with the database's backup.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBroken(Exception):
    """The secret was sealed under another SECRET_KEY (or changed in the database)."""


def _box() -> Fernet:
    key = hashlib.blake2b(
        settings.SECRET_KEY.encode(), digest_size=32, person=b"eventflow-seal"
    ).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def seal(secret: str) -> bytes:
    return _box().encrypt(secret.encode())


def unseal(sealed: bytes) -> str:
    """The secret in clear. Raises `SealBroken`."""
    try:
        return _box().decrypt(sealed).decode()
    except InvalidToken:
        raise SealBroken(
            "This secret was stored under another SECRET_KEY: enter it anew."
        ) from None
