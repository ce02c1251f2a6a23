"""Alert path: how soon an end is seen and told, what is owed, and what keeps still."""

from dataclasses import replace

from tests.deploy.dashboards.frame import Board, Section, any_of
from tests.deploy.dashboards.panels import (
    ANY,
    ANY_IS_ODD,
    GREEN,
    ORANGE,
    RED,
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
    states,
    third,
)
from tests.deploy.dashboards.promql import RANGE, counted, level, waited

_CHOSEN = 'receiver=~"$receiver"'
_BY_RECEIVER = "{{receiver}}"
_DETECTION = Limits(attention=60, alarm=300)
_DELIVERY = Limits(attention=60, alarm=900)
_OWED_FOR = Limits(attention=300, alarm=3600)
_PENDING = level("outbox_pending", "receiver", _CHOSEN)
# The moment is there only while something is owed: without it, the age of nothing is 0.
_OLDEST = (
    f"time() - min by (receiver) (tmcwatch_outbox_oldest_timestamp_seconds{{{_CHOSEN}}})"
    f" or on (receiver) 0 * {_PENDING}"
)
_DEAD = level("dead_letters", "receiver", _CHOSEN)
_FAILING = level("receiver_failing", "receiver", _CHOSEN)
_PARKED_UNTIL = level("receiver_parked_until_timestamp_seconds", "receiver", _CHOSEN)


def board() -> Board:
    values = "label_values(tmcwatch_outbox_pending, receiver)"
    return Board(
        uid="tmcwatch-alert-path",
        title="tmcwatch: alert path",
        description="How soon an end is seen and told, what is owed, and what keeps still.",
        since="now-24h",
        variables=[any_of("receiver", "Receiver", values)],
        sections=[
            Section(title="Is everything told?", panels=[*_soon_enough(), *_left()]),
            Section(title="How soon?", panels=_how_soon()),
            Section(title="What is owed", panels=[*_owed(), *_sent(), *_refused()]),
            Section(title="What keeps still", panels=_muted()),
            Section(title="Details", panels=_details(), is_collapsed=True),
        ],
    )


def _soon_enough() -> list[Panel]:
    detection = waited(0.95, "detection_delay_seconds", over=RANGE)
    delivery = waited(0.95, "delivery_delay_seconds", where=_CHOSEN, over=RANGE)
    seen = small("Seen within", "By TMC's clock, 95 % of the ends.", _DETECTION, Unit.SECONDS)
    told = small("Told within", "95 % of the messages accepted.", _DELIVERY, Unit.SECONDS)
    return [
        number(replace(seen, empty="nothing ended"), detection),
        number(replace(told, empty="nothing told"), delivery),
        number(
            small("Owed for", "Age of the oldest message owed.", _OWED_FOR, Unit.SECONDS),
            f"max({_OLDEST})",
        ),
    ]


def _left() -> list[Panel]:
    return [
        number(
            small("Owed", "Messages not accepted yet.", Limits(attention=1, alarm=100)),
            f"sum({_PENDING})",
        ),
        number(
            small("Given up", "Messages refused for good, to be sent again by a person.", ANY),
            f"sum({_DEAD})",
        ),
        number(
            small("Receivers failing", "Refusing for good, or silent for 15 minutes.", ANY),
            f"sum({_FAILING})",
        ),
    ]


def _how_soon() -> list[Panel]:
    delivery = waited(0.95, "delivery_delay_seconds", "receiver", _CHOSEN, over="1h")
    return [
        lines(
            About(
                "From an end until it is seen",
                "By TMC's clock, for the ends of each hour, backfill left out; of all accounts. "
                "A dot is an end, and names its run.",
                unit=Unit.SECONDS,
                limits=_DETECTION,
            ),
            Line(waited(0.5, "detection_delay_seconds", over="1h"), "half"),
            Line(waited(0.95, "detection_delay_seconds", over="1h"), "95 %", has_examples=True),
        ),
        lines(
            About(
                "From owing a message until it is accepted",
                "95 % of the messages of each hour were accepted this soon.",
                unit=Unit.SECONDS,
                limits=_DELIVERY,
            ),
            Line(delivery, _BY_RECEIVER),
        ),
    ]


def _owed() -> list[Panel]:
    return [
        lines(About("Owed", "Messages not accepted yet."), Line(_PENDING, _BY_RECEIVER)),
        lines(
            About(
                "Owed for",
                "Age of the oldest message not accepted yet.",
                unit=Unit.SECONDS,
                limits=_OWED_FOR,
            ),
            Line(_OLDEST, _BY_RECEIVER),
        ),
    ]


def _sent() -> list[Panel]:
    failures = counted("notification_failures_total", "receiver, reason", _CHOSEN)
    return [
        bars(
            About("Messages accepted", "By receiver, within each step."),
            Line(counted("notifications_total", "receiver", _CHOSEN), _BY_RECEIVER),
        ),
        bars(
            About(
                "Attempts that failed",
                "By reason; most are repeated later.",
                limits=ANY_IS_ODD,
                empty="none",
            ),
            Line(f"{failures} > 0", "{{receiver}} {{reason}}"),
        ),
    ]


def _refused() -> list[Panel]:
    return [
        states(
            About(
                "Receivers failing",
                "Refusing for good, or nothing accepted for 15 minutes.",
                unit=Unit.YES_OR_NO,
                limits=ANY,
                words={"0": ("accepts", GREEN), "1": ("fails", RED)},
            ),
            Line(_FAILING, _BY_RECEIVER),
        ),
        lines(
            About("Given up", "Messages refused for good that wait for a person.", limits=ANY),
            Line(_DEAD, _BY_RECEIVER),
        ),
    ]


def _muted() -> list[Panel]:
    suppressed = counted("notifications_suppressed_total", "reason")
    under_way = third(
        "Maintenance",
        "Which maintenance of the configuration was under way.",
        ANY_IS_ODD,
        Unit.YES_OR_NO,
    )
    said = {"0": ("no", GREEN), "1": ("under way", ORANGE)}
    return [
        bars(
            third(
                "Alerts not told",
                "Of which a receiver was not told on their own, by what kept still; what is in a "
                "storm stands in its summary.",
            ),
            Line(suppressed, "{{reason}}"),
        ),
        lines(
            third("Silences", "Those that hold, and those yet to begin."),
            Line(level("silences", "state"), "{{state}}"),
        ),
        states(
            replace(under_way, words=said, empty="none is configured"),
            Line(level("maintenance_active", "name"), "{{name}}"),
        ),
    ]


def _details() -> list[Panel]:
    failures = f"tmcwatch_notification_failures_total{{{_CHOSEN}}}"
    parked = "How long a receiver is still left alone, as it asked or as it refused the login."
    return [
        lines(
            About("Parked for", parked, unit=Unit.SECONDS, limits=_OWED_FOR),
            Line(f"clamp_min({_PARKED_UNTIL} - time(), 0)", _BY_RECEIVER),
        ),
        lines(
            About("Alerts firing by rule", "How many were open.", empty="none"),
            Line(f"{level('alerts_firing', 'rule, severity')} > 0", "{{rule}} ({{severity}})"),
        ),
        rows(
            About("Failed attempts", "Since the process started, by reason.", width=24),
            Column("failed", f"sum by (receiver, reason) ({failures})", limits=ANY_IS_ODD),
        ),
    ]
