"""Who may ask and who may change: bearer tokens with a name."""

import base64
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


class Scheme(StrEnum):
    """How a token is sent."""

    BEARER = "bearer"
    BASIC = "basic"
    """As the password of a browser's login. Only for pages: a browser sends it by itself, on
    behalf of any page, so that what takes it has to look where a request comes from."""


def refusal(
    authorization: str | None,
    tokens: Sequence[AccessToken],
    *,
    needed: May,
    scheme: Scheme = Scheme.BEARER,
) -> Refusal | None:
    """Answer why a request may not do what it asks, or None if it may.

    Reading is open to all until a token that may only read is configured; changing is off
    without a token for it.
    """
    if not any(token.may is needed for token in tokens):
        if needed is May.READ:
            return None
        return Refusal(status=403, text="off: no token configured that may change anything")
    token = token_of(authorization, tokens, scheme=scheme)
    if token is None:
        what = "a valid bearer token" if scheme is Scheme.BEARER else "a login"
        return Refusal(status=401, text=f"{what} is needed")
    if needed is May.CHANGE and token.may is not May.CHANGE:
        return Refusal(status=403, text=f"token {token.name} may only read")
    return None


def token_of(
    authorization: str | None,
    tokens: Sequence[AccessToken],
    *,
    scheme: Scheme = Scheme.BEARER,
) -> AccessToken | None:
    """Answer with the token that a request was made with, None where it is none of these."""
    given_scheme, _, given = (authorization or "").partition(" ")
    if given_scheme.lower() != scheme.value:
        return None
    # Headers reach us decoded as latin-1: this gives back the bytes that were sent.
    sent = given.strip().encode("latin-1", "replace")
    if scheme is Scheme.BASIC:
        _, _, sent = login(authorization).partition(b":")
    # All are compared, and each in constant time: how long it takes tells nothing.
    fitting = [
        token for token in tokens if hmac.compare_digest(token.secret.encode(), sent) and sent
    ]
    return fitting[0] if fitting else None


def login(authorization: str | None) -> bytes:
    """Answer with `user:password` of a browser's login, or nothing."""
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() != Scheme.BASIC:
        return b""
    try:
        return base64.b64decode(given.strip(), validate=True)
    except ValueError:
        return b""
