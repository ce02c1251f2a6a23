"""What an operator can set of a webhook, checked."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationInfo,
)

from tmcwatch.notifiers import FileName
from tmcwatch.notifiers.exchange import Timeout


def _address(secret: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or re.search(r"[\s\x00-\x1f]", secret.get_secret_value()):
        raise ValueError("must be an address like https://example.org/path")
    return secret


def _headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, text in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if not re.fullmatch(r"[\x20-\x7e\t]*", text.get_secret_value()):
            raise ValueError(f"{name}: the value may only hold printable ASCII")
    return headers


def _secret(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("must be printable ASCII characters without spaces")
    return secret


def _instead(file: Path, info: ValidationInfo) -> Path:
    if info.data.get("hmac_secret") is not None:
        raise ValueError("found both hmac_secret and hmac_secret_file; allowed: one of them")
    return file


class Options(BaseModel):
    """Where to post, and how to be trusted there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[SecretStr, AfterValidator(_address)]
    headers: Annotated[dict[str, SecretStr], AfterValidator(_headers)] = {}
    timeout: Timeout = timedelta(seconds=10)
    verify: bool = True
    ca_file: FileName | None = None
    hmac_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    hmac_secret_file: Annotated[FileName, AfterValidator(_instead)] | None = None

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url.get_secret_value())
