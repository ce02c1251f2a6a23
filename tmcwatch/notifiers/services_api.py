"""Keeps one task of a Services API chain in step with what is told."""

import re
from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tmcwatch.domain.filling import episodes, is_over
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import FileName, Notifier, Outside, Receipt
from tmcwatch.notifiers.exchange import Timeout, authority_problems, client_trusting
from tmcwatch.notifiers.keeping import (
    USUAL,
    Object,
    Secret,
    Short,
    Task,
    Template,
    body_of,
    tells_when_over,
)

IDEMPOTENT = True
ONE_BY_ONE = True
READS = "text"

_LONGEST = {"desc": 2_000, "target": 2_000, "trigger": 2_000, "debug": 10_000}
_LINES = frozenset({"target", "trigger"})
_HIGHEST_PORT = 65_535


def _host(host: str) -> str:
    found = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?", host)
    if found is None or not 0 < int(found[2] or 1) <= _HIGHEST_PORT:
        raise ValueError("must be a host such as services.example.org, with a :port if need be")
    return host


class Fields(BaseModel):
    """What to write; a field that is not given is never sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desc: Template | None = None
    target: Object | None = None
    trigger: Object | None = None
    debug: Template | None = None


class Options(BaseModel):
    """The task to keep, and what is written in it while something fires and once it is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, AfterValidator(_host)]
    task_id: Annotated[int, Field(gt=0)]
    # A colon would end it: it is sent as `id:secret`.
    access_token_id: Annotated[str, Field(pattern=r"^[!-9;-~]+$")]
    access_token_secret: Secret
    on_firing: Fields = Fields(desc=USUAL)
    on_resolved: Fields | None = None
    timeout: Annotated[Timeout, Short] = timedelta(seconds=5)
    ca_file: FileName | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.on_resolved is None:
            tells_when_over(self.on_firing)
            if self.on_firing.trigger or self.on_firing.target:
                # Written again once it is over, they might run the task a second time.
                raise ValueError("on_resolved is missing: trigger and target need one")
        return self


class ServicesApi:
    def __init__(self, options: Options, outside: Outside) -> None:
        self._options = options
        self._client = client_trusting(options.ca_file, outside)
        secret = options.access_token_secret.get_secret_value()
        credential = f"{options.access_token_id}:{secret}"
        self._task = Task(
            url=f"https://{options.host}/tasks/{options.task_id}",
            client=self._client,
            headers={"Authorization": f"Bearer {credential}"},
            secrets=(credential, secret),
            timeout=options.timeout,
            refusals=frozenset({401, 403}),
            now=outside.now,
        )

    async def send(self, message: Message, words: Words) -> Receipt:
        if not episodes(message):
            return Receipt(text="nothing written: a notice is no state of a task")
        options = self._options
        fields = (is_over(message) and options.on_resolved) or options.on_firing
        body = body_of(fields, message, words, longest=_LONGEST, lines=_LINES)
        return Receipt(text=await self._task.write(body) if body else "nothing to write")

    async def aclose(self) -> None:
        await self._client.aclose()


def build(options: Options, outside: Outside) -> Notifier:
    return ServicesApi(options, outside)


def problems(options: Options) -> list[str]:
    return authority_problems(options.ca_file)
