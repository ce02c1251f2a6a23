"""A mail server over real sockets: keeps what it accepts, refuses as a test will have it."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


@dataclass
class Mail:
    """One accepted mail: who it is for, and what it says."""

    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """Accepts everything, unless `refusals` say what to answer to a command."""

    refusals: dict[str, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Recipients to come back for."""
    password: bytes = b""
    tls: ssl.SSLContext | None = None
    mails: list[Mail] = field(default_factory=list)
    address: str = ""
    """Host and port, once it is open."""

    @contextmanager
    def open(self) -> Iterator[None]:
        controller = Controller(
            _Handler(self),
            hostname="127.0.0.1",
            port=_free_port(),  # asked for 0, it would look for itself at port 0
            tls_context=self.tls,
            require_starttls=self.tls is not None,
            auth_required=bool(self.password),
            auth_require_tls=self.tls is not None,
            authenticator=self._login,
        )
        controller.start()
        try:
            self.address = f"127.0.0.1:{controller.port}"
            yield
        finally:
            controller.stop()

    def _login(
        self, _server: Any, _session: Any, _envelope: Any, _way: str, data: Any
    ) -> AuthResult:
        return AuthResult(success=data.password == self.password, handled=False)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd calls it
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        greylisted = "450 4.2.0 come back" if address in self._server.refused else None
        refusal = self._server.refusals.get("RCPT") or greylisted
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        refusal = self._server.refusals.get("DATA")
        if refusal is None:
            self._server.mails.append(
                Mail(recipients=list(envelope.rcpt_tos), content=envelope.content)
            )
        return refusal or "250 OK"
