"""Keeps one Tallyfy task in step with what is told: the fields that the config names."""

import json
import re
from datetime import timedelta
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from tmcwatch.domain.filling import episodes, is_over
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import FileName, Notifier, NotifierError, Outside, Receipt
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

_LONGEST = {
    "title": 600,
    "summary": 2_000,
    "description": 10_000,
    "deadline": 40,
    "started_at": 40,
    "status": 40,
    "webhook": 2_000,
    "taskdata": 10_000,
    "prevent_guest_comment": 0,
}
_LINES = frozenset({"title", "deadline", "started_at", "status", "webhook"})


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = None
    if not usable or not re.fullmatch(r"[!-~]+", url) or re.search(r"[?#@]", url):
        # Without what was found: it may hold a password.
        raise ValueError("must be an http(s) address without user, query or fragment")
    return url.rstrip("/")


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Moment = Annotated[
    str,
    Field(
        pattern=r"^(\{(starts_at|ends_at|told_at)\}"
        r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:?[0-9]{2}))$"
    ),
]
"""A moment as Tallyfy writes it, or the name of one; where that is not known, none is written."""
EMail = Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,255}$")]


class Fields(BaseModel):
    """What to write; a field that is not given is never sent.

    Neither a status nor an address may hold what others wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Template | None = None
    summary: Template | None = None
    description: Template | None = None
    deadline: Moment | None = None
    started_at: Moment | None = None
    status: Annotated[str, Field(pattern=r"^[A-Za-z_-]{1,40}$")] | None = None
    taskdata: Object | None = None
    webhook: Annotated[str, Field(pattern=r"^https?://[^\s{}]{1,2000}$")] | None = None
    prevent_guest_comment: bool | None = None


class Owners(BaseModel):
    """Who is to own the task besides those who do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: tuple[Annotated[int, Field(gt=0)], ...] = ()
    guests: tuple[EMail, ...] = ()
    groups: tuple[Id, ...] = ()


class Options(BaseModel):
    """The task to keep, and what is written in it while something fires and once it is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    org_id: Id
    run_id: Id | None = None
    task_id: Id
    token: Secret
    on_firing: Fields = Fields(summary=USUAL)
    on_resolved: Fields | None = None
    add_owners: Owners = Owners()
    url: Annotated[str, AfterValidator(_base)] = "https://go.tallyfy.com/api"
    timeout: Annotated[Timeout, Short] = timedelta(seconds=5)
    ca_file: FileName | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.on_resolved is None:
            tells_when_over(self.on_firing)
        given = (self.on_firing, self.on_resolved)
        if self.run_id is not None and any(fields and fields.webhook for fields in given):
            raise ValueError("webhook can only be written in a one-off task, without run_id")
        return self

    @property
    def address(self) -> str:
        run = f"/runs/{self.run_id}" if self.run_id else ""
        return f"{self.url}/organizations/{self.org_id}{run}/tasks/{self.task_id}"


class OwnersUnreadable(Exception):
    """An answer does not say who owns a task; `permanent` says that another would not either."""

    def __init__(self, text: str, *, permanent: bool = True) -> None:
        super().__init__(text)
        self.permanent = permanent


class Tallyfy:
    def __init__(self, options: Options, outside: Outside) -> None:
        self._options = options
        self._client = client_trusting(options.ca_file, outside)
        token = options.token.get_secret_value()
        self._task = Task(
            url=options.address,
            client=self._client,
            headers={"Authorization": f"Bearer {token}", "X-Tallyfy-Client": "APIClient"},
            secrets=(token,),
            timeout=options.timeout,
            now=outside.now,
        )

    async def send(self, message: Message, words: Words) -> Receipt:
        if not episodes(message):
            return Receipt(text="nothing written: a notice is no state of a task")
        options, over = self._options, is_over(message)
        fields = (over and options.on_resolved) or options.on_firing
        body = body_of(fields, message, words, longest=_LONGEST, lines=_LINES)
        if not over:
            body |= await self._owners()
        if not body:
            return Receipt(text="nothing to write")
        return Receipt(text=await self._task.write(body))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _owners(self) -> dict[str, JsonValue]:
        """Answer with all owners where one is missing; Tallyfy drops whoever is not listed."""
        added: dict[str, list[JsonValue]] = {
            kind: list(members) for kind, members in self._options.add_owners if members
        }
        if not added:
            return {}
        try:
            present = owners_in(await self._task.read())
        except OwnersUnreadable as error:
            text = f"{self._task.what('GET')}: {error}: no owner is added"
            raise NotifierError(text, permanent=error.permanent) from error
        all_of_them = {
            kind: _joined(members, added.get(kind, [])) for kind, members in present.items()
        }
        return {} if all_of_them == present else {"owners": {**all_of_them}}


def owners_in(answer: bytes) -> dict[str, list[JsonValue]]:
    """Take the owners out of a task; raises OwnersUnreadable rather than overlook one."""
    try:
        task = json.loads(answer)
    except (ValueError, RecursionError) as error:
        # Such as a page that a gateway shows for a while.
        raise OwnersUnreadable("the answer is no JSON", permanent=False) from error
    task = task.get("data", task) if isinstance(task, dict) else None
    owners = task.get("owners") if isinstance(task, dict) else None
    if owners == []:  # an empty mapping, as PHP writes it
        owners = {}
    if not isinstance(owners, dict):
        raise OwnersUnreadable("the answer does not say who owns the task")
    return {kind: _members(kind, owners.get(kind) or []) for kind in Owners.model_fields}


def _members(kind: str, members: object) -> list[JsonValue]:
    """Answer with what names each owner, also where the answer says more of them than that."""
    found: list[JsonValue] = []
    for member in members if isinstance(members, list) else [None]:
        name = (member.get("id") or member.get("email")) if isinstance(member, dict) else member
        if not isinstance(name, str | int):
            raise OwnersUnreadable(f"it is not clear who the {kind} are that own the task")
        found.append(name)
    return found


def _joined(present: list[JsonValue], added: list[JsonValue]) -> list[JsonValue]:
    known = {str(member).casefold() for member in present}
    return present + [member for member in added if str(member).casefold() not in known]


def build(options: Options, outside: Outside) -> Notifier:
    return Tallyfy(options, outside)


def problems(options: Options) -> list[str]:
    return authority_problems(options.ca_file)
