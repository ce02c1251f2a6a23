"""Metrics: what this process counts, joined at each scrape by what is known."""

import platform
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from tmcwatch.domain.budget import Purpose
from tmcwatch.domain.certificate import Doubt
from tmcwatch.domain.delivery import Failure
from tmcwatch.domain.execution import AccountName, Kind, Transition
from tmcwatch.domain.muting import Suppression
from tmcwatch.domain.snapshot import Snapshot
from tmcwatch.telemetry.exemplars import Exemplars, labels_of
from tmcwatch.telemetry.families import PREFIX, PROCESS, Type
from tmcwatch.telemetry.lines import Form
from tmcwatch.telemetry.state import Known, metrics_of
from tmcwatch.telemetry.subjects import written_subjects

SERIES = 50_000
"""How many an answer may have, where the config does not say."""

_END = b"# EOF\n"

_OF_ACCOUNTS = (
    "up",
    "clock_skew_seconds",
    "api_rate_requests_per_second",
    "api_ceiling_requests_per_second",
    "api_throttled_until_timestamp_seconds",
)
"""The gauges that every account has."""

_LEVELS = ("debug", "info", "warning", "error", "critical")


class Metrics:
    """Counts on the loop, renders on any thread."""

    def __init__(self, *, version: str) -> None:
        # A process-wide switch of the library; those lines would double the answer.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._series = SERIES
        self._known = Known()
        self._exemplars = Exemplars()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._looks: dict[str, dict[str, bool]] = {}
        self._histograms: dict[str, Histogram] = {}
        self._register()
        self._gauges["build_info"].labels(version, platform.python_version()).set(1)
        for level in _LEVELS:
            self._counters["log_messages_total"].labels(level)
        self._begin("notifications_suppressed_total", each=Suppression)

    def _register(self) -> None:
        for family in PROCESS:
            name = family.name.removeprefix(PREFIX)
            about = (family.name, family.help, family.labels)
            match family.type:
                case Type.COUNTER:
                    self._counters[name] = Counter(*about, registry=self._registry)
                case Type.HISTOGRAM:
                    self._histograms[name] = Histogram(
                        *about, registry=self._registry, buckets=family.buckets
                    )
                case Type.GAUGE | Type.INFO:
                    self._gauges[name] = Gauge(*about, registry=self._registry)

    def expect(
        self,
        *,
        lists: Collection[tuple[AccountName, Kind]] = (),
        audited: Collection[str] = (),
        receivers: Collection[str] = (),
        rules: Collection[tuple[str, str]] = (),
        maintenance: Mapping[str, Callable[[datetime], bool]] | None = None,
    ) -> None:
        """Begin the series of what is watched and who is told at 0.

        `audited` are accounts whose audit log is read; rules have their severities; `maintenance`
        tells by name whether it is under way at a moment.
        """
        self._forget(set(self._known.lists) - set(lists), {account for account, _ in lists})
        self._known = Known(
            lists=tuple(lists),
            receivers=tuple(receivers),
            rules=tuple(rules),
            maintenance=dict(maintenance or {}),
        )
        for account, kind in lists:
            self._counters["window_bisections_total"].labels(account, kind.value)
            self._begin("window_rereads_total", account, kind.value, each=Doubt)
            self._begin("api_deadline_misses_total", account, each=Purpose)
        for name in audited:
            self._counters["audit_entries_unread_total"].labels(name)
        for receiver in receivers:
            self._counters["notifications_total"].labels(receiver)
            self._histograms["delivery_delay_seconds"].labels(receiver)
            self._begin("notification_failures_total", receiver, each=Failure)

    def _begin(self, counter: str, *labels: str, each: Iterable[StrEnum]) -> None:
        """Have a counter at 0 for each of these as its last label."""
        for one in each:
            self._counters[counter].labels(*labels, one.value)

    def _forget(
        self, lists: Iterable[tuple[AccountName, Kind]], watched: Collection[AccountName]
    ) -> None:
        """Drop the gauges of lists that are no longer watched: nothing would change them again.

        Counters stay as they are: one that came again at 0 would read as an increase.
        """
        for account, kind in lists:
            self._gauges["beat_seconds"].remove_by_labels({"account": account, "kind": kind.value})
            looks = self._looks.get(account, {})
            looks.pop(kind.value, None)
            if account not in watched:
                self._looks.pop(account, None)
                for name in _OF_ACCOUNTS:
                    self._gauges[name].remove_by_labels({"account": account})
            elif looks:
                self._gauges["up"].labels(account).set(all(looks.values()))

    def limit(self, series: int) -> None:
        """Take so many series for the most that an answer may have."""
        self._series = series

    def request(
        self,
        *,
        account: str,
        family: str,
        operation: str,
        code: str,
        seconds: float,
    ) -> None:
        self._counters["api_requests_total"].labels(account, family, operation, code).inc()
        self._histograms["api_request_duration_seconds"].labels(account, family).observe(seconds)

    def waited(self, account: str, purpose: str, *, seconds: float, is_late: bool) -> None:
        """Take note of how long a request waited for its turn."""
        self._histograms["api_queue_wait_seconds"].labels(account, purpose).observe(seconds)
        self._counters["api_deadline_misses_total"].labels(account, purpose).inc(is_late)

    def store(self, *, ok: bool) -> None:
        self._gauges["store_up"].set(ok)

    def throttled(self, account: str, family: str) -> None:
        self._counters["api_throttled_total"].labels(account, family).inc()

    def budget(
        self,
        account: str,
        family: str,
        *,
        rate: float,
        ceiling: float,
        paused_until: datetime | None,
    ) -> None:
        """Take note of the budget; `rate` and `ceiling` are requests per second."""
        self._counters["api_throttled_total"].labels(account, family)
        self._gauges["api_rate_requests_per_second"].labels(account, family).set(rate)
        self._gauges["api_ceiling_requests_per_second"].labels(account, family).set(ceiling)
        until = 0.0 if paused_until is None else paused_until.timestamp()
        self._gauges["api_throttled_until_timestamp_seconds"].labels(account, family).set(until)

    def beat(self, account: str, kind: str, seconds: float) -> None:
        self._gauges["beat_seconds"].labels(account, kind).set(seconds)

    def reread(self, account: str, kind: str, doubt: Doubt) -> None:
        self._counters["window_rereads_total"].labels(account, kind, doubt.value).inc()

    def bisected(self, account: str, kind: str) -> None:
        self._counters["window_bisections_total"].labels(account, kind).inc()

    def audit_unread(self, account: str, number: int) -> None:
        self._counters["audit_entries_unread_total"].labels(account).inc(number)

    def look(self, account: str, list_: str, *, ok: bool) -> None:
        """Take note of how the last look at one list of an account went; `up` is that of all."""
        looks = self._looks.setdefault(account, {})
        looks[list_] = ok
        self._gauges["up"].labels(account).set(all(looks.values()))

    def skew(self, account: str, seconds: float) -> None:
        self._gauges["clock_skew_seconds"].labels(account).set(seconds)

    def ended(self, transition: Transition) -> None:
        """Take note of an end that was just committed, and how late it was seen."""
        delay = max((transition.seen_at - transition.at).total_seconds(), 0.0)
        histogram = self._histograms["detection_delay_seconds"]
        histogram.observe(delay, exemplar=labels_of(transition))
        if transition.corrects is None:  # else it was counted as what it ended as before
            self._exemplars.note(transition)

    def sent(self, receiver: str, delay_seconds: float) -> None:
        self._counters["notifications_total"].labels(receiver).inc()
        self._histograms["delivery_delay_seconds"].labels(receiver).observe(delay_seconds)

    def send_failed(self, receiver: str, reason: Failure) -> None:
        self._counters["notification_failures_total"].labels(receiver, reason.value).inc()

    def suppressed(self, reason: Suppression, number: int) -> None:
        self._counters["notifications_suppressed_total"].labels(reason.value).inc(number)

    def loop(self, name: str) -> None:
        """Begin to count the restarts of a loop."""
        self._counters["restarts_total"].labels(name)

    def restarted(self, loop: str) -> None:
        self._counters["restarts_total"].labels(loop).inc()

    def reloaded(self, *, ok: bool, at: datetime) -> None:
        """Take note of a load of the configuration, the first one included."""
        self._gauges["config_last_reload_successful"].set(ok)
        if ok:
            self._gauges["config_last_reload_success_timestamp_seconds"].set(at.timestamp())

    def logged(self, level: str) -> None:
        self._counters["log_messages_total"].labels(level).inc()

    def render(self, snapshot: Snapshot | None, accept: str | None) -> tuple[bytes, str]:
        """Answer with the exposition and its content type.

        Without a snapshot, as when the store cannot be read, what the process counts remains.
        """
        is_open = "application/openmetrics-text" in (accept or "").lower()
        form = Form.OPENMETRICS if is_open else Form.TEXT
        metrics = list(self._registry.collect())
        if snapshot is None:
            return _encoded(metrics, form), form.value
        metrics += metrics_of(snapshot, self._known)
        written = written_subjects(
            snapshot,
            self._exemplars if form is Form.OPENMETRICS else None,
            form=form,
            room=self._series - sum(len(metric.samples) for metric in metrics),
        )
        # Encoded one by one: as text, all of them together would be there twice.
        of_subjects = [each.encode() for each in written]
        begin = _encoded(metrics, form)
        end = _END if form is Form.OPENMETRICS else b""
        return b"".join((begin.removesuffix(end), *of_subjects, end)), form.value


def _encoded(metrics: Sequence[Metric], form: Form) -> bytes:
    encode: Callable[..., bytes]
    encode = openmetrics.generate_latest if form is Form.OPENMETRICS else generate_latest
    # All names are plain ones: saying that UTF-8 is allowed only spares looking at each rune.
    return encode(_Exposition(metrics=metrics), escaping=openmetrics.ALLOWUTF8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exposition(Collector):
    """Metrics to be written out."""

    metrics: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        return self.metrics
