"""API budget: what is asked of TMC, against what we allow ourselves and what it allows all."""

from dataclasses import replace

from tests.deploy.dashboards.frame import Board, Section, accounts
from tests.deploy.dashboards.panels import (
    ANY,
    ANY_IS_ODD,
    About,
    Column,
    Limits,
    Line,
    Panel,
    Unit,
    bars,
    lines,
    number,
    rows,
    small,
    third,
)
from tests.deploy.dashboards.promql import (
    ACCOUNTS,
    LIST,
    RANGE,
    counted,
    level,
    per_minute,
    waited,
)

_FAMILY = "account, family"
_PURPOSE = "account, purpose"
_BY_FAMILY = "{{account}} {{family}}"
_BY_PURPOSE = "{{account}} {{purpose}}"
_ASKED = per_minute("api_requests_total", _FAMILY, ACCOUNTS)
_OURS = f"60 * {level('api_rate_requests_per_second', _FAMILY, ACCOUNTS)}"
_CEILING = f"60 * {level('api_ceiling_requests_per_second', _FAMILY, ACCOUNTS)}"
_PAUSED_UNTIL = level("api_throttled_until_timestamp_seconds", _FAMILY, ACCOUNTS)
_PAUSE_LEFT = f"clamp_min({_PAUSED_UNTIL} - time(), 0)"
_USED_UP = Limits(attention=0.8, alarm=1)
_OF_TENANT = Limits(attention=0.4, alarm=0.8)
_PAUSE = Limits(attention=1, alarm=60)


def board() -> Board:
    return Board(
        uid="tmcwatch-api-budget",
        title="tmcwatch: API budget",
        description="What tmcwatch asks of TMC, against what it allows itself and TMC allows all.",
        since="now-6h",
        variables=[accounts()],
        sections=[
            Section(title="Is the budget enough?", panels=[*_used(), *_short()]),
            Section(title="What is asked", panels=[*_asked(), *_shares()]),
            Section(title="What it costs to wait", panels=[*_waiting(), *_held_up()]),
            Section(title="Details", panels=[*_slow(), *_again()], is_collapsed=True),
        ],
    )


def _share(of: str) -> str:
    return f"({_ASKED}) / on ({_FAMILY}) ({of} > 0)"


def _used() -> list[Panel]:
    minute = Unit.REQUESTS_PER_MINUTE
    return [
        number(
            small("Requests", "Of the last minutes, of all families.", unit=minute),
            f"sum({_ASKED})",
        ),
        number(
            small("Of our rate", "By the family that uses most of it.", _USED_UP, Unit.SHARE),
            f"max({_share(_OURS)})",
        ),
        number(
            small("Of TMC's ceiling", "Used by us alone, at most.", _OF_TENANT, Unit.SHARE),
            f"max({_share(_CEILING)})",
        ),
    ]


def _short() -> list[Panel]:
    misses = counted("api_deadline_misses_total", _PURPOSE, ACCOUNTS, over=RANGE)
    throttled = counted("api_throttled_total", _FAMILY, ACCOUNTS, over=RANGE)
    return [
        number(
            small("Throttled", "Times TMC said that too much was asked.", ANY_IS_ODD),
            f"sum({throttled})",
        ),
        number(
            small("Pause left", "How long TMC wants nothing asked.", _PAUSE, Unit.SECONDS),
            f"max({_PAUSE_LEFT})",
        ),
        number(
            small("Turns too late", "Requests that missed their deadline.", ANY_IS_ODD),
            f"sum({misses})",
        ),
    ]


def _asked() -> list[Panel]:
    minute = Unit.REQUESTS_PER_MINUTE
    by_code = per_minute("api_requests_total", "account, code", ACCOUNTS)
    return [
        lines(
            About(
                "Requests, our rate and TMC's ceiling",
                "For each family; others in the tenant use up the ceiling too.",
                unit=minute,
            ),
            Line(_ASKED, f"{_BY_FAMILY}: asked"),
            Line(_OURS, f"{_BY_FAMILY}: our rate"),
            Line(_CEILING, f"{_BY_FAMILY}: ceiling"),
        ),
        bars(
            About("Requests by code", "HTTP status, or `error` for no answer.", unit=minute),
            Line(by_code, "{{account}} {{code}}"),
            every="1m",
        ),
    ]


def _shares() -> list[Panel]:
    return [
        lines(
            About(
                "Share of our rate",
                "At 100 % requests wait for their turn.",
                unit=Unit.SHARE,
                limits=_USED_UP,
            ),
            Line(_share(_OURS), _BY_FAMILY),
        ),
        lines(
            About(
                "Share of TMC's ceiling",
                "What is left is for all others in the tenant.",
                unit=Unit.SHARE,
                limits=_OF_TENANT,
            ),
            Line(_share(_CEILING), _BY_FAMILY),
        ),
    ]


def _waiting() -> list[Panel]:
    return [
        lines(
            About(
                "Wait for a turn",
                "95 % of the requests waited no longer, by purpose.",
                unit=Unit.SECONDS,
                limits=Limits(attention=5, alarm=60),
            ),
            Line(waited(0.95, "api_queue_wait_seconds", _PURPOSE, ACCOUNTS), _BY_PURPOSE),
        ),
        bars(
            About("Turns too late", "Past the deadline of their purpose.", limits=ANY_IS_ODD),
            Line(counted("api_deadline_misses_total", _PURPOSE, ACCOUNTS), _BY_PURPOSE),
        ),
    ]


def _held_up() -> list[Panel]:
    return [
        bars(
            About("Throttled", "Times TMC said that too much was asked.", limits=ANY_IS_ODD),
            Line(counted("api_throttled_total", _FAMILY, ACCOUNTS), _BY_FAMILY),
        ),
        lines(
            About(
                "Beat",
                "Time between two looks at a list; under pressure more than configured.",
                unit=Unit.SECONDS,
                limits=Limits(attention=60, alarm=300),
            ),
            Line(level("beat_seconds", LIST, ACCOUNTS), "{{account}} {{kind}}"),
        ),
    ]


def _slow() -> list[Panel]:
    took = waited(0.95, "api_request_duration_seconds", _FAMILY, ACCOUNTS)
    return [
        lines(
            About(
                "Time to answer",
                "TMC answered 95 % of the requests within this time.",
                unit=Unit.SECONDS,
                limits=Limits(attention=5, alarm=20),
            ),
            Line(took, _BY_FAMILY),
        ),
        lines(
            About(
                "Pause left", "How long TMC wants nothing asked.", unit=Unit.SECONDS, limits=_PAUSE
            ),
            Line(_PAUSE_LEFT, _BY_FAMILY),
        ),
    ]


def _again() -> list[Panel]:
    rereads = counted("window_rereads_total", f"{LIST}, reason", ACCOUNTS)
    again = third("Windows read again", "Their rows did not prove to be complete.")
    unread = counted("audit_entries_unread_total", "account", ACCOUNTS)
    by = f"{_FAMILY}, operation, code"
    by_operation = counted("api_requests_total", by, ACCOUNTS, over=RANGE)
    return [
        bars(
            replace(again, empty="none"),
            Line(f"{rereads} > 0", "{{account}} {{kind}} {{reason}}"),
        ),
        bars(
            third("Windows cut in two", "They held more rows than can be read at once."),
            Line(counted("window_bisections_total", LIST, ACCOUNTS), "{{account}} {{kind}}"),
        ),
        bars(
            third("Audit log not understood", "Promotion runs without an execution.", ANY),
            Line(unread, "{{account}}"),
        ),
        rows(
            About("Requests by operation", "Within the time shown.", width=24, height=10),
            Column("requests", f"{by_operation} > 0"),
        ),
    ]
