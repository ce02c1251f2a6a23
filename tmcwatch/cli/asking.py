"""Asking a running daemon over HTTP; whatever goes wrong is one line."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tmcwatch.cli.ending import Failed, found_wrong, unreachable, wrong_usage

TIMEOUT = 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GOOD = range(200, 300)
_REFUSED = frozenset({401, 403})
_SAID_NO = 503
_WRONG = 400
_NOT_THERE = 404
_NO_SUCH_PATH = "Not Found"
_NUMBER = re.compile(r"^\[Errno [0-9]+\] ")


def ask(url: str, path: str, *, token: str | None) -> Any:  # noqa: ANN401 - JSON
    """Answer with what the daemon says in JSON, also where it says that something is wrong."""
    status, content = _exchange("GET", url, path, token=token)
    if not isinstance(content, dict):
        raise unreachable(f"{url}{path}: no answer of a tmcwatch daemon")
    if status in _GOOD or (status == _SAID_NO and "error" not in content):
        return content
    raise _refusal(url, path, status, content)


def ask_list(url: str, path: str, *, token: str | None) -> Any:  # noqa: ANN401 - JSON
    """Answer with a list that the daemon gives."""
    status, content = _exchange("GET", url, path, token=token)
    if status in _GOOD and isinstance(content, list):
        return content
    raise _refusal(url, path, status, content)


def tell(
    url: str,
    path: str,
    body: Mapping[str, object] | None,
    *,
    token: str | None,
    method: str = "POST",
) -> Any:  # noqa: ANN401 - JSON
    """Ask the daemon to do something, and answer with what it says."""
    status, content = _exchange(method, url, path, token=token, body=body)
    if status in _GOOD and isinstance(content, dict):
        return content
    raise _refusal(url, path, status, content)


def tell_each(
    url: str,
    paths: Iterable[str],
    body: Mapping[str, object] | None,
    *,
    token: str | None,
    method: str = "POST",
) -> tuple[list[Any], Failed | None]:
    """Ask for each in turn: what fails for one keeps nobody from the others."""
    done, failures = [], []
    for path in paths:
        try:
            done.append(tell(url, path, body, token=token, method=method))
        except Failed as failure:
            failures.append(failure)
    if not failures:
        return done, None
    # A daemon that is away is so for each of them.
    lines = dict.fromkeys(line for failure in failures for line in failure.lines)
    return done, Failed(*lines, code=max(failure.code for failure in failures))


def _exchange(
    method: str,
    url: str,
    path: str,
    *,
    token: str | None,
    body: Mapping[str, object] | None = None,
) -> tuple[int, Any]:
    import httpx  # noqa: PLC0415 - half of the time that `--help` of a command would take

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        # A proxy that the environment names does not know our own loopback.
        with httpx.Client(timeout=TIMEOUT, trust_env=not _is_here(url)) as client:
            response = client.request(method, url.rstrip("/") + path, headers=headers, json=body)
            return response.status_code, response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = _NUMBER.sub("", str(error)) or type(error).__name__
        raise unreachable(f"{url}: no daemon answers: {reason} (see --url)") from error
    except ValueError as error:
        raise unreachable(f"{url}{path}: no answer of a tmcwatch daemon") from error


def _refusal(url: str, path: str, status: int, content: object) -> Failed:
    """Answer with how a command ends that the daemon refused."""
    told = content if isinstance(content, dict) else {}
    if status in _REFUSED:
        return wrong_usage(f"{url}: {told.get('error', 'refused')} (see --token-file)")
    if status == _WRONG and "error" in told:
        return wrong_usage(f"{url}: {told['error']}")
    said = told.get("error", "no answer of a tmcwatch daemon")
    if status == _NOT_THERE and "error" in told and said != _NO_SUCH_PATH:
        return found_wrong(f"{url}: {said}")
    return unreachable(f"{url}{path}: {status}: {said}")


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
