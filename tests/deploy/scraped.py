"""A stage: Prometheus with the shipped rules scrapes a real daemon, and tells Alertmanager."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.deploy.rules import RULES, SHIPPED, hurried
from tests.process.debian import alertmanager, program, prometheus
from tests.process.processes import CONFIG, Daemon, eventually, simulated, started
from tests.receiving import Receiver

AS_OPERATOR = {
    "namespace": "watch",
    "pod": "tmcwatch-0",
    "service": "tmcwatch",
    "endpoint": "http",
}
"""What Prometheus Operator adds to the series of a pod."""

INBOX = """
route: {receiver: inbox, group_by: [alertname, id], group_wait: 0s, group_interval: 1s}
receivers: [{name: inbox, webhook_configs: [{url: "http://%s/"}]}]
"""


@dataclass
class Stage:
    """A daemon that watches a simulated TMC, and a Prometheus that watches the daemon."""

    control: str
    daemon: Daemon
    address: str
    inbox: Receiver

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Answer with what Prometheus finds; what it cannot understand fails."""
        answer = httpx.get(f"{self.address}/api/v1/query", params={"query": query}, timeout=10)
        assert answer.is_success, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def until(self, query: str) -> None:
        """Wait until there is something to find."""
        eventually(lambda: self.asked(query))

    def fault(self, name: str, *, is_on: bool) -> None:
        url = f"{self.control}/faults/{name}"
        answer = httpx.put(url, json={}) if is_on else httpx.delete(url)
        assert answer.is_success, answer.text

    def run(self, number: int, status: str) -> str:
        """Let a run of a task end soon; answers with the task's name."""
        tasks = httpx.get(f"{self.control}/world").json()["tasks"]
        name, id_ = sorted(tasks.items())[number]
        wish = {"task_id": id_, "in_seconds": 0, "lasts_seconds": 1, "ends": status}
        assert httpx.post(f"{self.control}/task-runs", json=wish).is_success
        return str(name)

    def told(self, **labels: str) -> list[dict[str, Any]]:
        """Answer with the alerts of which Alertmanager told."""
        alerts = [alert for each in self.inbox.received for alert in each.json["alerts"]]
        return [alert for alert in alerts if labels.items() <= alert["labels"].items()]


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Set the stage; the daemon's own receiver is down, so that it owes messages."""
    inbox, down = Receiver(), Receiver(status=503)
    server = program("prometheus", package="prometheus")
    manager = program("prometheus-alertmanager", package="prometheus-alertmanager")
    with (
        inbox.open(),
        down.open(),
        simulated(folder, "--scenario", "small") as (api, control),
        watching(folder, api, down.address) as daemon,
        alertmanager(manager, folder / "alertmanager", INBOX % inbox.address) as peer,
        prometheus(server, folder / "prometheus", scraping(daemon, peer, folder)) as address,
    ):
        yield Stage(control, daemon, address, inbox)


@contextmanager
def watching(folder: Path, api: str, receiver: str) -> Iterator[Daemon]:
    path = folder / "tmcwatch.yaml"
    text = CONFIG % {"api": api, "token": "token: demo"}
    text = text.replace("{receiver: team}", "{receiver: team, group_wait: 0s}")
    path.write_text(text.replace("log: {}", f'webhook: {{url: "http://{receiver}/"}}'))
    words = ("run", "--config", str(path))
    with started(Daemon, folder, *words, is_forked=True) as daemon:
        daemon.until_fresh()
        yield daemon


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
