"""How tests ask the application."""

from dataclasses import replace

import httpx
import pytest

from tests.serving.daemon import answering
from tmcwatch.serving.access import AccessToken
from tmcwatch.serving.application import application
from tmcwatch.telemetry.health import Health


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def operations(health):
    return answering(health)


@pytest.fixture
def ask(operations):
    """Ask the application, with these tokens configured and some operations replaced."""

    async def ask(
        method,
        path,
        *,
        tokens=(),
        token=None,
        raises=True,
        doing=None,
        headers=None,
        **request,
    ):
        app = application(replace(operations, **(doing or {})), lambda: tokens)
        transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
        secret = token.secret if isinstance(token, AccessToken) else token
        sent = [(name.encode(), text.encode()) for name, text in (headers or {}).items()]
        if secret is not None:
            sent.append((b"authorization", f"Bearer {secret}".encode()))
        async with httpx.AsyncClient(transport=transport, base_url="http://tmcwatch") as client:
            return await client.request(method, path, headers=sent, **request)

    return ask
