"""Secrets kept out of what is written: known ones, and what looks like one."""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
_SHORTEST = 6
_DEEPEST = 6
_SECRET_KEY = re.compile(r"(token|password|passwd|secret|authorization|preauthorizedkey|apikey)$")
_BEARER = re.compile(r"\b(bearer\s+)[^\s\"',;]+", re.IGNORECASE)
_HEADER = re.compile(r"(authorization[\"']?\s{0,9}[:=]\s{0,9}[\"']?)[^\r\n\"']+", re.IGNORECASE)
# Not after `].`: in `accounts[0].token: the file is empty` stands a key of the config, no value.
# Nor after `service_account.` and `webhook.hmac_`, for the same reason.
_ASSIGNED = re.compile(
    r"((?<!\]\.)(?<!\]\.service_account\.)(?<!\]\.webhook\.hmac_)"
    r"(?:token|password|passwd|secret|preauthorizedkey|api_?key)[\"']?\s{0,9}[:=]\s{0,9}[\"']?)"
    r"(?!\[redacted\])[^\s\"',;&})\]]+",
    re.IGNORECASE,
)
# Bounded, and only at the beginning of a word: a long text must not cost its length squared.
_URL = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,30})://([^\s\"'<>]*)")
_USER = re.compile(r"^[^/?#]*@")
_SHOWN_SCHEMES = frozenset({"http", "https", "sqlite", "file"})

_known: set[str] = set()


def redact(secret: str) -> None:
    """Keep a text out of every log line of this process, in the spellings it may appear in."""
    plain = secret.strip()
    if len(plain) < _SHORTEST:
        return  # A shorter text stands in too many words by chance.
    spellings = (plain, repr(plain)[1:-1], json.dumps(plain)[1:-1], quote(plain, safe=""))
    _known.update((*spellings, quote_plus(plain)))


def without_secrets(text: str) -> str:
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    text = _URL.sub(_shown_url, text)
    text = _HEADER.sub(rf"\1{REDACTED}", text)
    text = _BEARER.sub(rf"\1{REDACTED}", text)
    return _ASSIGNED.sub(rf"\1{REDACTED}", text)


def names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(re.sub(r"[^a-z]", "", key.lower())) is not None


def cleaned(value: object, *, depth: int = 0) -> object:
    """Answer with the value as plain data without secrets; an object becomes its text."""
    match value:
        case None | bool() | int():
            return value
        case Mapping() if depth < _DEEPEST:
            return cleaned_mapping(value, depth=depth + 1)
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [cleaned(item, depth=depth + 1) for item in value]
        case float() if isfinite(value):  # JSON knows no other
            return value
        case BaseException():
            return without_secrets(f"{type(value).__name__}: {value}")
        case _:
            return without_secrets(str(value))


def _shown_url(found: re.Match[str]) -> str:
    """Cut what is not for the web to its scheme: the rest of such an address is credentials."""
    scheme, rest = found.groups()
    if scheme.lower() not in _SHOWN_SCHEMES:
        return f"{scheme}://{REDACTED}"
    return f"{scheme}://{_USER.sub(f'{REDACTED}@', rest)}"


def cleaned_mapping(values: Mapping[Any, object], *, depth: int = 0) -> dict[str, object]:
    return {
        without_secrets(str(key)): REDACTED
        if names_a_secret(str(key)) and value is not None
        else cleaned(value, depth=depth)
        for key, value in values.items()
    }
