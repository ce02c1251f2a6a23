"""Everything an operator can set: one tree of models, checked as a whole."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr

from tmcwatch.config.durations import Duration, between
from tmcwatch.config.muting import InhibitRule, MaintenanceSetting, NamedIntervals
from tmcwatch.config.problems import Places
from tmcwatch.config.rule_settings import RuleSetting
from tmcwatch.config.section import Section
from tmcwatch.config.values import (
    DEFAULT_SHARE,
    SOME,
    Audience,
    Condition,
    Day,
    ExternalUrl,
    FileName,
    GroupBy,
    LabelName,
    Link,
    Listen,
    Name,
    Place,
    PromotionRun,
    Proxy,
    Secret,
    ServiceAccountId,
    Share,
    StoreUrl,
    TimeZone,
    Token,
    WebUrl,
    address_of,
    off_is_none,
    way_to,
)

_SECOND = between(timedelta(seconds=1))


class ServiceAccount(Section):
    """What TMC gives tokens for, each for half an hour."""

    id: ServiceAccountId
    """Its id, as TMC shows it."""
    secret: Secret | None = None
    """Its secret itself; better from the environment: `${TMC_SECRET}`."""
    secret_file: FileName | None = None
    """File that holds the secret; read again when it changes."""
    audience: Audience | None = None
    """What its tokens are for; the address of the API where it is not given."""


class Account(Section):
    """One tenant, reached with one credential."""

    name: Name
    region: Literal["eu", "us", "us-west", "ap", "au"] | None = None
    """Where the tenant lives; `url` instead for any other address."""
    url: WebUrl | None = None
    """Address of the API, instead of `region`."""
    token: Token | None = None
    """The access token itself; better from the environment: `${TMC_TOKEN}`."""
    token_file: FileName | None = None
    """File that holds the token; read again when it changes."""
    token_expires: Day | None = None
    """The day on which the token expires, as TMC does not say: reminds 14, 3 and 1 days before."""
    service_account: ServiceAccount | None = None
    """The service account that tokens are asked for, instead of a token of a person."""
    ca_file: FileName | None = None
    """PEM file of authorities trusted besides the usual ones; when it changes, a reload."""
    proxy: Proxy | None = None
    """Way to the API: `http://user:password@host:port`; without it, as the environment says."""
    api_share: Share = DEFAULT_SHARE
    """How much of TMC's published request limits tmcwatch may use."""
    budget: Name | None = None
    """Accounts of one address, asked by one way, share one budget, as TMC counts requests by where
    they come from; a name of its own parts them."""
    link: Link = "default"
    """Link to a run in messages: `default`, `off`, or a template."""
    environments: tuple[Place, ...] = ()
    """Names or ids of the environments to watch; without any, all that are visible."""
    workspaces: tuple[Place, ...] = ()
    """Names, ids or `ENVIRONMENT/name` of the workspaces to watch; without any, all of them."""

    @property
    def budget_name(self) -> str:
        """Name the budget it draws on, alone or together with others."""
        proxy = None if self.proxy is None else self.proxy.get_secret_value()
        return self.budget or way_to(self.api_url, proxy)

    @property
    def api_url(self) -> str:
        return self.url or address_of(self.region or "")


class Settle(Section):
    floor: Annotated[Duration, between(timedelta(seconds=2), timedelta(hours=1))] = timedelta(
        seconds=10
    )
    """The least time a list must have been still before it is believed to be complete."""
    ceiling: Annotated[Duration, between(timedelta(seconds=2), timedelta(hours=1))] = timedelta(
        minutes=5
    )
    """The most; in between, how late rows appear is learned from the lists themselves."""


class Names(Section):
    every: Annotated[Duration, _SECOND] = timedelta(minutes=15)
    """How often names of tasks, plans, workspaces and environments are read again."""


class Promotions(Section):
    """Executions of promotions cannot be listed: these are followed besides those asked for."""

    ids: tuple[PromotionRun, ...] = ()
    """Executions to follow: an id, or `account/id` where there are several accounts."""
    audit_log: bool = False
    """Whether TMC's audit log is read for promotions that were started."""


class Watch(Section):
    beat: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = timedelta(
        seconds=10
    )
    """How often TMC is asked what is new."""
    settle: Settle = Settle()
    tasks: bool = True
    plans: bool = True
    promotions: Promotions = Promotions()
    names: Names = Names()
    history: Annotated[Duration, between(timedelta(0), timedelta(days=10))] = timedelta(days=7)
    """How far back the first look reads; `0s` for not at all."""


class Store(Section):
    url: StoreUrl = "sqlite:///tmcwatch.db"
    """A SQLite file; a relative one is found from the config file's folder."""
    keep: Annotated[Duration, between(timedelta(days=15))] = timedelta(days=90)
    """How long executions that ended are remembered."""

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))


class LabelSetting(Section):
    """Labels that alerts get when the matchers match; every match applies, in order."""

    matchers: tuple[Condition, ...]
    labels: Mapping[LabelName, str] = Field(alias="set", min_length=1)


class ChildRoute(Section):
    """A branch of the routing tree; what is not set comes from its parent."""

    receiver: str | None = None
    matchers: tuple[Condition, ...] = ()
    goes_on: bool = Field(default=False, alias="continue")
    """Whether later branches of the same parent are asked too."""
    group_by: GroupBy | None = None
    group_wait: Duration | None = None
    group_interval: Annotated[Duration, _SECOND] | None = None
    repeat_interval: Annotated[Duration, _SECOND] | None = None
    mute_time_intervals: tuple[str, ...] = ()
    """Names of time intervals in which nothing is told here; not taken over by branches."""
    active_time_intervals: tuple[str, ...] = ()
    """Names of the only time intervals in which something is told here; not taken over."""
    routes: tuple["ChildRoute", ...] = ()


class RootRoute(Section):
    """The root of the routing tree, which every alert matches."""

    receiver: str
    group_by: GroupBy = ("account", "environment", "rule")
    """Alerts that share these labels share a message; `["..."]` for all labels."""
    group_wait: Duration = timedelta(seconds=30)
    """How long the first message of a group waits for more alerts."""
    group_interval: Annotated[Duration, _SECOND] = timedelta(minutes=5)
    """The least time between two messages of a group."""
    repeat_interval: Annotated[Duration, _SECOND] | None = None
    """When alerts that still fire are told again; without it 24h, and 4h for lasting states."""
    routes: tuple[ChildRoute, ...] = ()


class StormSetting(Section):
    """When there is more news for a receiver than anyone reads: it is told summaries then."""

    above: Annotated[int, Field(ge=1)] = 100
    """How many alerts it may be told anew."""
    within: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = timedelta(
        minutes=1
    )
    """In which time."""


class Templates(Section):
    """The operator's own words, where ours will not do."""

    folder: FileName | None = None
    """Holds any of `title.j2`, `message.txt.j2`, `message.md.j2` and `message.html.j2`, which take
    the place of ours; when one changes, the file is loaded again."""


class Receiver(Section):
    """People or systems that are told; the kinds of notifiers are added as further keys."""

    name: Name
    send_resolved: bool = True
    """Whether the end of an alert is told too."""
    on_uncertain: Literal["resend", "hold"] = "resend"
    """After a crash in the midst of sending: send again, or hold the message back."""
    templates: Templates = Templates()
    """For this receiver, instead of those for all."""
    storm: Annotated[StormSetting | None, BeforeValidator(off_is_none)] = StormSetting()
    """When it is told one summary instead of everything; `off` to be told everything always."""

    @property
    def notifiers(self) -> dict[str, BaseModel]:
        """Answer with the options of each kind of notifier that is set."""
        fields = type(self).model_fields
        values = {field.alias: getattr(self, name) for name, field in fields.items()}
        return {kind: value for kind, value in values.items() if kind and value is not None}


class AccessToken(Section):
    """A credential for tmcwatch's own HTTP interface."""

    name: Name
    """Who holds it; acknowledgements carry this name."""
    file: FileName | None = None
    token: Token | None = None
    may: Literal["read", "change"] = "read"


class Http(Section):
    listen: Listen = "127.0.0.1:10477"
    external_url: ExternalUrl = ""
    """The address under which people reach tmcwatch; for links in messages."""
    tokens: tuple[AccessToken, ...] = ()
    """Without one that may change, nothing can be changed over HTTP."""

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Metrics(Section):
    detail: tuple[Condition, ...] = ()
    """Which tasks and plans get further series, those of run times: all that all of these match;
    without any, none."""
    series: Annotated[int, Field(ge=1_000)] = 50_000
    """How many series an answer may have: details are left out first, then the series of each
    task and plan, those of workspaces never."""


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """`auto`: console on a terminal, JSON elsewhere."""


class Config(Section):
    """The whole file."""

    accounts: Annotated[tuple[Account, ...], *SOME]
    watch: Watch = Watch()
    store: Store = Store()
    labels: tuple[LabelSetting, ...] = ()
    rules: tuple[RuleSetting, ...] = ()
    """Changes to built-in rules, and rules of your own; the first that matches holds."""
    rule_files: tuple[FileName, ...] = ()
    """Files with further `rules`, such as `rules.d/*.yaml`; they are followed like this one."""
    route: RootRoute
    receivers: Annotated[tuple[Receiver, ...], *SOME]
    fallback: str | None = None
    """The receiver that is told when another one cannot be; by default that of the root route."""
    time_intervals: tuple[NamedIntervals, ...] = ()
    inhibit_rules: tuple[InhibitRule, ...] = ()
    maintenance: tuple[MaintenanceSetting, ...] = ()
    silence_reminder: Duration = timedelta(hours=1)
    """How long before its end a silence that still mutes something is told of; `0s` for never."""
    time_zone: TimeZone = ZoneInfo("UTC")
    """Of the times in messages."""
    templates: Templates = Templates()
    http: Http = Http()
    metrics: Metrics = Metrics()
    log: Log = Log()
    grace: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = timedelta(
        seconds=25
    )
    """How long a stop may take before what is left is cut short."""
    _places: Places = PrivateAttr(default=Places())
    _filed: tuple[RuleSetting, ...] = PrivateAttr(default=())

    @property
    def places(self) -> Places:
        """Where its keys stand in the file."""
        return self._places

    @property
    def every_rule(self) -> tuple[RuleSetting, ...]:
        """Answer with its own rules, then those of its rule files."""
        return (*self.rules, *self._filed)

    def placed(self, places: Places, filed: tuple[RuleSetting, ...] = ()) -> Self:
        self._places = places
        self._filed = filed
        return self
