"""A stage: Prometheus with the shipped rules scrapes a real daemon, and tells Alertmanager."""

import math
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.rules import RULES, SHIPPED, hurried
from tests.process.debian import alertmanager, program, prometheus
from tests.process.processes import Daemon, eventually, simulated, started
from tests.receiving import Receiver

AS_OPERATOR = {
    "namespace": "watch",
    "pod": "tmcwatch-0",
    "service": "tmcwatch",
    "endpoint": "http",
}
"""What Prometheus Operator adds to the series of a pod."""

CONFIG = """\
accounts:
  - name: prod
    url: "%s"
    service_account: {id: demo-id, secret: demo-secret}
    api_share: 1
watch: {beat: 1s, settle: {floor: 2s}, history: 0s, promotions: {audit_log: true}}
store: {url: "sqlite:///tmcwatch.db"}
route:
  receiver: team
  group_wait: 0s
  routes: [{receiver: down, continue: true}, {receiver: team}]
receivers:
  - {name: team, log: {}}
  - {name: down, webhook: {url: "http://%s/"}}
maintenance: # at any hour one of them is under way
  - {name: from midnight, cron: "0 0 * * *", duration: 23h, matchers: ['workspace="none"']}
  - {name: from noon, cron: "0 12 * * *", duration: 23h, matchers: ['workspace="none"']}
metrics: {detail: ['name=~".+"']}
http: {listen: "127.0.0.1:0"}
grace: 10s
"""
PAGE = 100
"""Rows that TMC shows at once."""
INBOX = """
route: {receiver: inbox, group_by: [alertname, id], group_wait: 0s, group_interval: 1s}
receivers: [{name: inbox, webhook_configs: [{url: "http://%s/"}]}]
"""
ALWAYS = {"start": "0", "end": "9999999999"}
BEHIND = 7_200
"""Seconds by which TMC's clock is behind at first."""


@dataclass
class Stage:
    """A daemon that watches a simulated TMC, and a Prometheus that watches the daemon."""

    control: httpx.Client
    daemon: Daemon
    prometheus: httpx.Client
    inbox: Receiver

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Answer with what Prometheus finds; what it cannot understand fails."""
        result: list[dict[str, Any]] = self._got("query", query=query)["result"]
        return result

    def exemplars(self, query: str) -> list[dict[str, Any]]:
        """Answer with the exemplars of series, which Prometheus finds in OpenMetrics alone."""
        found: list[dict[str, Any]] = self._got("query_exemplars", query=query, **ALWAYS)
        return found

    def _got(self, path: str, **params: str) -> Any:
        answer = self.prometheus.get(f"/api/v1/{path}", params=params)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def until(self, query: str) -> None:
        """Wait until there is something to find."""
        eventually(lambda: self.asked(query))

    def without_data(self, queries: Iterable[str]) -> list[str]:
        """Answer with the queries that no number answers, however often they are asked."""
        left = list(queries)

        def are_answered() -> bool:
            left[:] = [query for query in left if not any(map(is_number, self.asked(query)))]
            return not left

        try:
            eventually(are_answered)
        except AssertionError:
            return left
        return []

    def fault(self, name: str, *, is_on: bool = True, **options: str) -> None:
        method, path = "PUT" if is_on else "DELETE", f"/faults/{name}"
        answer = self.control.request(method, path, json=options if is_on else None)
        assert answer.is_success, answer.text

    def run(self, number: int, status: str, *, lasts: float = 1, reason: str | None = None) -> str:
        """Let a run of a task end so; answers with the task's name."""
        tasks = self.control.get("/world").json()["tasks"]
        name, id_ = sorted(tasks.items())[number]
        wish = {"task_id": id_, "in_seconds": 0, "lasts_seconds": lasts, "ends": status}
        wish |= {} if reason is None else {"reason": reason}
        assert self.control.post("/task-runs", json=wish).is_success
        return str(name)

    def told(self, **labels: str) -> list[dict[str, Any]]:
        """Answer with the alerts of which Alertmanager told."""
        alerts = [alert for each in self.inbox.received for alert in each.json["alerts"]]
        return [alert for alert in alerts if labels.items() <= alert["labels"].items()]


def is_number(sample: dict[str, Any]) -> bool:
    return math.isfinite(float(sample["value"][1]))


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Set the stage; one of the daemon's receivers is down, so that it owes messages."""
    inbox, down = Receiver(), Receiver(status=503)
    server = program("prometheus", package="prometheus")
    manager = program("prometheus-alertmanager", package="prometheus-alertmanager")
    with (
        inbox.open(),
        down.open(),
        simulated(folder, "--scenario", "small") as (api, control),
        watching(folder, api, control, down.address) as daemon,
        alertmanager(manager, folder / "alertmanager", INBOX % inbox.address) as peer,
        prometheus(server, folder / "prometheus", scraping(daemon, peer, folder)) as address,
        httpx.Client(base_url=control, timeout=10) as simulator,
        httpx.Client(base_url=address, timeout=10) as client,
    ):
        yield Stage(simulator, daemon, client, inbox)


@contextmanager
def watching(folder: Path, api: str, control: str, receiver: str) -> Iterator[Daemon]:
    """Watch since two hours ago: some things take so long until there is anything to see."""
    path = folder / "tmcwatch.yaml"
    path.write_text(CONFIG % (api, receiver))
    behind = f"{control}/faults/clock_skew"
    assert httpx.put(behind, json={"seconds": -BEHIND}).is_success
    words = ("run", "--config", str(path))
    with started(Daemon, folder, *words, is_forked=True) as daemon:
        daemon.until_fresh()
        assert httpx.delete(behind).is_success
        eventually(lambda: has_caught_up(daemon))
        # What was seen is checked again once a minute, and when a watch begins.
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len(values(daemon, "second_pass_timestamp_seconds")) == 2)
        yield daemon


def has_caught_up(daemon: Daemon) -> bool:
    """Tell whether the two hours that TMC's clock has jumped are read."""
    proven = min(values(daemon, "watermark_timestamp_seconds"))
    looked = max(values(daemon, "head_timestamp_seconds"))
    is_left = any(values(daemon, "backfill_remaining_seconds"))
    return looked - proven < BEHIND / 2 and not is_left


def values(daemon: Daemon, metric: str) -> list[float]:
    families = text_string_to_metric_families(daemon.answer("/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return [sample.value for sample in samples if sample.name == f"tmcwatch_{metric}"]


def scraping(daemon: Daemon, peer: str, folder: Path) -> str:
    """Answer with the shipped configuration for this daemon and this Alertmanager, in a hurry."""
    for path in RULES:
        hurried(path, folder / "prometheus/rules")
    config = yaml.safe_load((SHIPPED / "prometheus.yaml").read_text())
    config["global"] = dict.fromkeys(config["global"], "1s")
    config["rule_files"] = ["rules/*.yaml"]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [host(peer)]}]}]
    # Twice, as over a change of pods, and once as an operator labels it: each alert is one all the
    # same, and no join finds two where it expects one.
    target = [host(daemon.url)]
    job = config["scrape_configs"][0]
    job["static_configs"] = [{"targets": target}, {"targets": target, "labels": AS_OPERATOR}]
    job["scrape_timeout"] = "1s"
    return yaml.safe_dump(config)


def host(url: str) -> str:
    return url.removeprefix("http://")
