"""Asking a running daemon over HTTP; whatever goes wrong is one line."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tmcwatch.cli.ending import unreachable, wrong_usage

TIMEOUT = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_REFUSED = frozenset({401, 403})
_SAID_NO = 503


def ask(url: str, path: str, *, token: str | None) -> Any:  # noqa: ANN401 - JSON
    """Answer with what the daemon says in JSON, also where it says that something is wrong."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        # A proxy that the environment names does not know our own loopback.
        with httpx.Client(timeout=TIMEOUT, trust_env=not _is_here(url)) as client:
            response = client.get(url.rstrip("/") + path, headers=headers)
            content = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(f"{url}: {str(error) or type(error).__name__}") from error
    except ValueError as error:
        raise unreachable(f"{url}{path}: no answer of a tmcwatch daemon") from error
    if not isinstance(content, dict):
        raise unreachable(f"{url}{path}: no answer of a tmcwatch daemon")
    if response.status_code in _REFUSED:
        raise wrong_usage(f"{url}: {content.get('error', 'refused')} (see --token-file)")
    if response.is_success or (response.status_code == _SAID_NO and "error" not in content):
        return content
    said = content.get("error", "no answer of a tmcwatch daemon")
    raise unreachable(f"{url}{path}: {response.status_code}: {said}")


def token_from(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise wrong_usage(f"{file}: cannot be read: {reason}") from error
    if not token or not token.isascii() or not token.isprintable():
        raise wrong_usage(f"{file}: holds no token")
    return token


def _is_here(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False
