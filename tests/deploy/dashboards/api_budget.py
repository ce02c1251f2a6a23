"""API budget: what is asked of TMC, against what we allow ourselves and what it allows all."""

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
_ASKED = per_minute("api_requests_total", _FAMILY, ACCOUNTS)
_OURS = f"60 * {level('api_rate_requests_per_second', _FAMILY, ACCOUNTS)}"
_CEILING = f"60 * {level('api_ceiling_requests_per_second', _FAMILY, ACCOUNTS)}"
_PAUSE = (
    f"clamp_min({level('api_throttled_until_timestamp_seconds', _FAMILY, ACCOUNTS)} - time(), 0)"
)
_USED_UP = Limits(attention=0.8, alarm=1)
_OF_TENANT = Limits(attention=0.4, alarm=0.8)


def board() -> Board:
    return Board(
        uid="tmcwatch-api-budget",
        title="tmcwatch: API budget",
        description="What tmcwatch asks of TMC, against what it allows itself and TMC allows all.",
        since="now-6h",
        variables=[accounts()],
        sections=[
            Section(title="Is the budget enough?", panels=_enough()),
            Section(title="What is asked", panels=_asked()),
            Section(title="What it costs to wait", panels=_waiting()),
            Section(title="Details", panels=_details(), is_collapsed=True),
        ],
    )


def _share(of: str) -> str:
    return f"({_ASKED}) / on ({_FAMILY}) ({of} > 0)"


def _enough() -> list[Panel]:
    misses = counted("api_deadline_misses_total", _PURPOSE, ACCOUNTS, over=RANGE)
    throttled = counted("api_throttled_total", _FAMILY, ACCOUNTS, over=RANGE)
    return [
        number(
            small(
                "Requests", "All requests of the last minutes.", Limits(), Unit.REQUESTS_PER_MINUTE
            ),
            f"sum({_ASKED})",
        ),
        number(
            small(
                "Of our rate",
                "How much of what we allow ourselves is used, of the family that uses most.",
                _USED_UP,
                Unit.SHARE,
            ),
            f"max({_share(_OURS)})",
        ),
        number(
            small(
                "Of TMC's ceiling",
                "How much of what TMC allows the whole tenant is used by "
                "us, of the family that uses most.",
                _OF_TENANT,
                Unit.SHARE,
            ),
            f"max({_share(_CEILING)})",
        ),
        number(
            small(
                "Throttled",
                "Times TMC said that too much was asked, in the time shown.",
                ANY_IS_ODD,
            ),
            f"sum({throttled})",
        ),
        number(
            small(
                "Pause left",
                "How long nothing is asked because TMC wants a pause.",
                Limits(attention=1, alarm=60),
                Unit.SECONDS,
            ),
            f"max({_PAUSE})",
        ),
        number(
            small(
                "Turns too late",
                "Requests whose turn came after the deadline of their purpose, in the time shown.",
                ANY_IS_ODD,
            ),
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
            About(
                "Requests by code", "By HTTP status; `error` where no answer came.", unit=minute
            ),
            Line(by_code, "{{account}} {{code}}"),
            every="1m",
        ),
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
    wait = waited(0.95, "api_queue_wait_seconds", _PURPOSE, ACCOUNTS)
    misses = counted("api_deadline_misses_total", _PURPOSE, ACCOUNTS)
    throttled = counted("api_throttled_total", _FAMILY, ACCOUNTS)
    return [
        lines(
            About(
                "Wait for a turn",
                "95 % of the requests waited no longer, by purpose.",
                unit=Unit.SECONDS,
                limits=Limits(attention=5, alarm=60),
            ),
            Line(wait, "{{account}} {{purpose}}"),
        ),
        bars(
            About(
                "Turns too late",
                "Requests whose turn came after the deadline of their purpose.",
                limits=ANY_IS_ODD,
            ),
            Line(misses, "{{account}} {{purpose}}"),
        ),
        bars(
            About("Throttled", "Times TMC said that too much was asked.", limits=ANY_IS_ODD),
            Line(throttled, _BY_FAMILY),
        ),
        lines(
            About(
                "Beat",
                "Time between two looks at a list; under pressure it is more than "
                "the configured beat.",
                unit=Unit.SECONDS,
                limits=Limits(attention=60, alarm=300),
            ),
            Line(level("beat_seconds", LIST, ACCOUNTS), "{{account}} {{kind}}"),
        ),
    ]


def _details() -> list[Panel]:
    took = waited(0.95, "api_request_duration_seconds", _FAMILY, ACCOUNTS)
    rereads = counted("window_rereads_total", f"{LIST}, reason", ACCOUNTS)
    bisections = counted("window_bisections_total", LIST, ACCOUNTS)
    unread = counted("audit_entries_unread_total", "account", ACCOUNTS)
    by_operation = counted(
        "api_requests_total", f"{_FAMILY}, operation, code", ACCOUNTS, over=RANGE
    )
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
                "Pause left",
                "How long nothing is asked because TMC wants a pause.",
                unit=Unit.SECONDS,
                limits=Limits(attention=1, alarm=60),
            ),
            Line(_PAUSE, _BY_FAMILY),
        ),
        bars(
            About(
                "Windows read again",
                "Because their rows did not prove to be complete, by reason.",
                width=8,
            ),
            Line(rereads, "{{account}} {{kind}} {{reason}}"),
        ),
        bars(
            About(
                "Windows cut in two",
                "Because they held more rows than can be read at once.",
                width=8,
            ),
            Line(bisections, "{{account}} {{kind}}"),
        ),
        bars(
            About(
                "Audit log not understood",
                "Promotion runs in TMC's audit log without an execution to be read.",
                width=8,
                limits=ANY,
            ),
            Line(unread, "{{account}}"),
        ),
        rows(
            About(
                "Requests by operation",
                "What was asked in the time shown, and what came of it.",
                width=24,
                height=10,
            ),
            Column("requests", f"{by_operation} > 0"),
        ),
    ]
