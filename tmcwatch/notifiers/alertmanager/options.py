"""What an operator can set of a mirror in Alertmanager, checked."""

from datetime import timedelta
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator

from tmcwatch.notifiers import FileName
from tmcwatch.notifiers.exchange import Address, Duration, Headers, Secret, Timeout

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=1)
LEAST_ROUNDS = 2
"""How often an alert is pushed at least before it would end: one push may fail."""
USUAL_ROUNDS = 4


def _every(every: timedelta) -> timedelta:
    if not SHORTEST <= every <= LONGEST:
        raise ValueError("must be 1s to 1h")
    return every


def _some(urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not urls:
        raise ValueError("must name at least one address")
    return urls


class Options(BaseModel):
    """Where the peers are, how to be trusted there, and how often each is told the state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: Annotated[tuple[Address, ...], AfterValidator(_some)]
    username: str | None = None
    password: SecretStr | None = None
    bearer_token: Secret | None = None
    headers: Headers = {}
    timeout: Timeout = timedelta(seconds=10)
    verify: bool = True
    ca_file: FileName | None = None
    every: Annotated[Duration, AfterValidator(_every)] = timedelta(minutes=1)
    valid_for: Duration | None = None

    @model_validator(mode="after")
    def _logs_in_one_way(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password must be given together")
        ways = (self.username, self.bearer_token, self._authorization)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("allowed: one of username, bearer_token and a header Authorization")
        return self

    @model_validator(mode="after")
    def _outlasts_a_failure(self) -> Self:
        if not LEAST_ROUNDS * self.every <= self.lasts <= 24 * LONGEST:
            raise ValueError("valid_for must be at least 2 times `every` and at most 24h")
        return self

    @property
    def lasts(self) -> timedelta:
        """For how long what was pushed holds in Alertmanager, unless it is pushed again."""
        return self.valid_for or USUAL_ROUNDS * self.every

    @property
    def parts(self) -> SplitResult:
        """Those of the only address, once the peers are targets of their own."""
        (url,) = self.urls
        return urlsplit(url.get_secret_value())

    @property
    def _authorization(self) -> SecretStr | None:
        names = {name.lower(): text for name, text in self.headers.items()}
        return names.get("authorization")
