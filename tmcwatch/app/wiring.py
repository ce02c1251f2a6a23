"""From the config to the values each service works with."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import structlog
from pydantic import SecretStr

from tmcwatch.alerting.settings import AccountLinks, Mutes, Receiver, Settings
from tmcwatch.api.asking import Call
from tmcwatch.api.budget import USUAL_BEAT, Budget
from tmcwatch.api.client import Client
from tmcwatch.api.connection import http_client, trusting
from tmcwatch.api.service_account import ServiceAccount
from tmcwatch.api.token import Token, TokenFile, TokenText
from tmcwatch.app.world import World
from tmcwatch.config import Account, Config, routing_tree, rules_of
from tmcwatch.config import Receiver as ConfiguredReceiver
from tmcwatch.delivering import OnUncertain, Target
from tmcwatch.domain.built_in import OF_ROWS
from tmcwatch.domain.episode import Ownership
from tmcwatch.domain.execution import AccountName, Kind
from tmcwatch.domain.inhibition import topology
from tmcwatch.domain.link import DEFAULT
from tmcwatch.domain.scope import Scope
from tmcwatch.domain.settling import Bounds
from tmcwatch.domain.sight import patience
from tmcwatch.domain.storm import StormLimit
from tmcwatch.notifiers import (
    Outside,
    build,
    is_idempotent,
    is_one_by_one,
    mirrored_every,
    targets,
    wish_of,
)
from tmcwatch.polling.asking import List, PlanList, TaskList
from tmcwatch.polling.looking import LookSettings
from tmcwatch.polling.reading import Rereads
from tmcwatch.telemetry.metrics import Metrics
from tmcwatch.tracking.watchfulness import Watchfulness

log = structlog.get_logger()


def kinds_of(config: Config) -> tuple[Kind, ...]:
    """Answer with what is watched of each account."""
    wanted = ((Kind.TASK, config.watch.tasks), (Kind.PLAN, config.watch.plans))
    return tuple(kind for kind, is_wanted in wanted if is_wanted)


def watched_lists(config: Config) -> list[tuple[AccountName, Kind]]:
    """Answer with every list that is read, by its account."""
    kinds = kinds_of(config)
    return [(AccountName(one.name), kind) for one in config.accounts for kind in kinds]


def settings_of(config: Config) -> Settings:
    """Answer with what the config says about alerts."""
    return Settings(
        rules=rules_of(config),
        ownership=ownership_of(config),
        root=routing_tree(config),
        receivers={
            receiver.name: Receiver(
                targets=tuple(_names(receiver, mirrors=False)),
                mirrors=tuple(_names(receiver, mirrors=True)),
                send_resolved=receiver.send_resolved,
                storm=(
                    StormLimit(above=receiver.storm.above, within=receiver.storm.within)
                    if receiver.storm
                    else None
                ),
            )
            for receiver in config.receivers
        },
        accounts={
            AccountName(account.name): AccountLinks(
                template=_template(account), region=account.region or ""
            )
            for account in config.accounts
        },
        kinds=frozenset(kinds_of(config)),
        scopes=scopes_of(config),
        expiries={
            AccountName(account.name): account.token_expires
            for account in config.accounts
            if account.token_expires is not None
        },
        external_url=config.http.external_url,
        mutes=mutes_of(config),
    )


def ownership_of(config: Config) -> tuple[Ownership, ...]:
    return tuple(Ownership(matchers=one.matchers, labels=one.labels) for one in config.labels)


def mutes_of(config: Config) -> Mutes:
    """Answer with what the config says may mute alerts."""
    asked_for = (rule.name for rule in rules_of(config) if rule.inside_plans)
    return Mutes(
        intervals={
            named.name: tuple(each.interval for each in named.intervals)
            for named in config.time_intervals
        },
        inhibitions=(
            *topology(inside_plans=asked_for),
            *(rule.inhibition for rule in config.inhibit_rules),
        ),
        maintenance=tuple(one.maintenance(config.time_zone) for one in config.maintenance),
        silence_reminder=config.silence_reminder,
    )


def _names(receiver: ConfiguredReceiver, *, mirrors: bool) -> Iterator[str]:
    """Give the names of its ways of telling that are mirrors, or of those that are none."""
    for kind, options in receiver.notifiers.items():
        if (mirrored_every(kind, options) is not None) == mirrors:
            yield from (f"{receiver.name}/{name}" for name, _ in targets(kind, options))


def _template(account: Account) -> str:
    if account.link == "off" or (account.link == "default" and account.region is None):
        return ""
    return DEFAULT if account.link == "default" else account.link


def scopes_of(config: Config) -> dict[AccountName, Scope]:
    """Answer with what is watched of each account."""
    return {AccountName(account.name): scope_of(account) for account in config.accounts}


def scope_of(account: Account) -> Scope:
    return Scope(
        environments=frozenset(account.environments), workspaces=frozenset(account.workspaces)
    )


def targets_of(config: Config, world: World, *, only: str | None = None) -> Iterable[Target]:
    """Give a target for every way of telling every receiver, or the `only` one."""
    outside = Outside(
        http=partial(_receiver_http, world), in_thread=world.in_sending_thread, now=world.now
    )
    for receiver in config.receivers:
        if only not in {None, receiver.name}:
            continue
        for kind, options in receiver.notifiers.items():
            for name, part in targets(kind, options):
                yield Target(
                    name=f"{receiver.name}/{name}",
                    receiver=receiver.name,
                    notifier=build(kind, part, outside),
                    idempotent=is_idempotent(kind),
                    one_by_one=is_one_by_one(kind),
                    wish=wish_of(kind),
                    on_uncertain=OnUncertain(receiver.on_uncertain),
                    mirrored_every=mirrored_every(kind, part),
                )


def _receiver_http(world: World) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=world.transport(), follow_redirects=False)


def client_of(
    account: Account,
    budget: Budget,
    metrics: Metrics,
    world: World,
    *,
    beat: timedelta = USUAL_BEAT,
) -> Client:
    """Answer with the client of one account that is looked at on a beat."""
    trust = _trust(account)
    proxy = account.proxy.get_secret_value() if account.proxy else None

    def renew() -> httpx.AsyncClient:
        return http_client(world.transport(), verify=trust, proxy=proxy)

    return Client(
        AccountName(account.name),
        base_url=account.api_url,
        http=renew(),
        budget=budget,
        token=_token(account, world),
        now=world.now,
        observe=partial(_observe, metrics),
        renew=renew,
        beat=beat,
    )


def _trust(account: Account) -> ssl.SSLContext | bool:
    """Answer with whom to trust; a file that broke since it was checked is a state, no crash."""
    if account.ca_file is None:
        return True
    try:
        return trusting(account.ca_file)
    except OSError as error:
        problem = error.strerror or str(error)
        log.warning("ca_file_unusable", file=str(account.ca_file), problem=problem)
        return True


def _token(account: Account, world: World) -> Token | ServiceAccount:
    given = account.service_account
    if given is None:
        return _secret(account.token_file, account.token, world, what="token")
    return ServiceAccount(
        id=given.id,
        secret=_secret(given.secret_file, given.secret, world, what="secret"),
        audience=given.audience or account.api_url,
    )


def _secret(file: Path | None, text: SecretStr | None, world: World, *, what: str) -> Token:
    if file is not None:
        return TokenFile(file, in_thread=world.in_thread, what=what)
    assert text is not None  # noqa: S101 - the config has one of the two
    return TokenText(text.get_secret_value(), what=what)


def _observe(metrics: Metrics, call: Call) -> None:
    metrics.request(
        account=call.account,
        family=call.family.value,
        operation=call.operation,
        code=call.code,
        seconds=call.seconds,
    )
    metrics.waited(call.account, call.purpose.value, seconds=call.waited, is_late=call.is_late)
    if call.code == "429":
        metrics.throttled(call.account, call.family.value)
        log.warning("throttled", account=call.account, family=call.family.value)


def lists_of(config: Config, client: Client) -> tuple[List, ...]:
    """Answer with the lists of an account that are watched."""
    made: dict[Kind, Callable[[], List]] = {
        Kind.TASK: lambda: TaskList(client),
        Kind.PLAN: lambda: PlanList(client),
    }
    return tuple(made[kind]() for kind in kinds_of(config))


def look_settings(config: Config) -> LookSettings:
    """Answer with how a list is looked at."""
    settle = config.watch.settle
    return LookSettings(
        # A floor above the ceiling that nobody set is meant.
        bounds=Bounds(floor=settle.floor, ceiling=max(settle.floor, settle.ceiling)),
        history=config.watch.history,
        beat=config.watch.beat,
        judges_rows=judges_rows(config),
    )


def judges_rows(config: Config) -> bool:
    """Tell whether a rule is on that needs the details of every success of a task."""
    return any(rule.enabled and rule.name in OF_ROWS for rule in rules_of(config))


def watchfulness_of(config: Config, world: World) -> Watchfulness:
    """Answer with what judges whether every list is seen."""
    return Watchfulness(
        watched_lists(config),
        limit=patience(config.watch.beat),
        settle=config.watch.settle.floor,
        started_at=world.now(),
    )


def rereads_of(account: AccountName, kind: Kind, metrics: Metrics) -> Rereads:
    """Answer with what is counted when a window is read again or cut in half."""
    return Rereads(
        reread=partial(metrics.reread, account, kind.value),
        bisected=lambda: metrics.bisected(account, kind.value),
    )
