"""What an operator can set of a webhook, checked."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from tmcwatch.notifiers import FileName
from tmcwatch.notifiers.exchange import Address, Headers, Secret, Timeout


def _instead(file: Path, info: ValidationInfo) -> Path:
    if info.data.get("hmac_secret") is not None:
        raise ValueError("found both hmac_secret and hmac_secret_file; allowed: one of them")
    return file


class Options(BaseModel):
    """Where to post, and how to be trusted there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Address
    headers: Headers = {}
    timeout: Timeout = timedelta(seconds=10)
    verify: bool = True
    ca_file: FileName | None = None
    hmac_secret: Secret | None = None
    hmac_secret_file: Annotated[FileName, AfterValidator(_instead)] | None = None

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url.get_secret_value())
