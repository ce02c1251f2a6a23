"""Who may ask and who may change: bearer tokens with a name."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class May(StrEnum):
    READ = "read"
    CHANGE = "change"
    """Includes reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    name: str
    secret: str = field(repr=False)
    may: May


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    status: int
    text: str


def refusal(
    authorization: str | None, tokens: Sequence[AccessToken], *, needed: May
) -> Refusal | None:
    """Answer why a request may not do what it asks, or None if it may.

    Reading is open to all until a token that may only read is configured; changing is off
    without a token for it.
    """
    if not any(token.may is needed for token in tokens):
        if needed is May.READ:
            return None
        return Refusal(status=403, text="off: no token configured that may change anything")
    token = _token_of(authorization, tokens)
    if token is None:
        return Refusal(status=401, text="a valid bearer token is needed")
    if needed is May.CHANGE and token.may is not May.CHANGE:
        return Refusal(status=403, text=f"token {token.name} may only read")
    return None


def _token_of(authorization: str | None, tokens: Sequence[AccessToken]) -> AccessToken | None:
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    # Headers reach us decoded as latin-1: this gives back the bytes that were sent.
    sent = given.strip().encode("latin-1", "replace")
    # All are compared, and each in constant time: how long it takes tells nothing.
    fitting = [
        token for token in tokens if hmac.compare_digest(token.secret.encode(), sent) and sent
    ]
    return fitting[0] if fitting else None
