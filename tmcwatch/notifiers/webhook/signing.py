"""Signs what is posted, so that a receiver can tell it from a forgery and from a replay."""

import hashlib
import hmac
from datetime import datetime
from pathlib import Path

TIMESTAMP = "X-Tmcwatch-Timestamp"
SIGNATURE = "X-Tmcwatch-Signature"
LARGEST_SECRET = 1_000_000


class SecretProblem(Exception):
    """A secret that cannot be read; the text says why, and never what was found."""


def signature(secret: bytes, *, key: str, body: bytes, at: datetime) -> dict[str, str]:
    """Answer with the headers that prove who posted exactly this body under this key, and when."""
    timestamp = str(int(at.timestamp()))
    signed = f"{timestamp}.{key}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    return {TIMESTAMP: timestamp, SIGNATURE: f"sha256={digest}"}


def secret_in(file: Path) -> bytes:
    """Read a secret, without the white space around it; raises SecretProblem."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_SECRET + 1)
    except OSError as error:
        raise SecretProblem(f"cannot read {file}: {error.strerror or error}") from error
    if len(content) > LARGEST_SECRET:
        raise SecretProblem(f"{file} is too large for a secret")
    secret = content.strip()
    if not secret:
        raise SecretProblem(f"{file} is empty")
    return secret
