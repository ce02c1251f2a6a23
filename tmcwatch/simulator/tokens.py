"""Who is let in: the one lasting token, and those given to the service account, which end."""

import hashlib
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime, timedelta

SAID_TO_LAST = "3600"
"""What TMC's text shows as `expires_in`; its help says that a token lasts half an hour."""


@dataclass(slots=True, kw_only=True)
class ServiceAccount:
    """A service account; a changed secret is the only one from then on."""

    id: str = "demo-id"
    secret: str = "demo-secret"  # noqa: S105 - opens nothing but the simulator
    tokens_last: timedelta = timedelta(minutes=30)


class Tokens:
    """Knows which tokens are good at a moment of the simulated time; several may be at once."""

    def __init__(self, lasting: str, service_account: ServiceAccount, *, seed: int) -> None:
        self._lasting = lasting
        self._service_account = service_account
        self._seed = seed
        self._ends: dict[str, datetime] = {}
        self.given = 0
        """How many tokens the service account was given."""

    def give(self, now: datetime) -> str:
        self.given += 1
        text = hashlib.sha256(f"{self._seed}/{self.given}".encode()).hexdigest()
        token = f"simulated.{self.given}.{text}"
        self._ends = {each: end for each, end in self._ends.items() if end > now}
        self._ends[token] = now + self._service_account.tokens_last
        return token

    def revoke(self) -> None:
        """Take back every token that was given to the service account."""
        self._ends.clear()

    def admit(self, authorization: str | None, now: datetime) -> bool:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer":
            return False
        end = self._ends.get(token)
        return token == self._lasting or (end is not None and now < end)

    def know(self, authorization: str | None) -> bool:
        """Tell whether a header holds the id and secret of the service account."""
        scheme, _, shown = (authorization or "").partition(" ")
        account = self._service_account
        try:
            text = b64decode(shown, validate=True).decode()
        except ValueError:
            return False
        return scheme == "Basic" and text == f"{account.id}:{account.secret}"
