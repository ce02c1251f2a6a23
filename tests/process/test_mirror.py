"""The real daemon mirrors what fires in Debian's real Alertmanager."""

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.process.debian import alertmanager
from tests.process.processes import CONFIG, Daemon, eventually, simulated, started
from tests.receiving import Receiver

PEER = """
route: {receiver: inbox, group_by: [name], group_wait: 0s, group_interval: 1s}
receivers: [{name: inbox, webhook_configs: [{url: "http://%s/", send_resolved: true}]}]
"""
LONG, SHORT = "every: 2s, valid_for: 1h", "every: 1s, valid_for: 4s"


@dataclass
class Stage:
    """A simulated TMC, peers of Alertmanager, and whom they tell."""

    api: str
    control: str
    inbox: Receiver
    folder: Path
    binary: str

    def peer(self, name: str, *, port: int | None = None):
        config = PEER % self.inbox.address
        return alertmanager(self.binary, self.folder / name, config, port=port)

    @contextmanager
    def mirroring(self, *peers: str, how: str):
        path = self.folder / "tmcwatch.yaml"
        text = CONFIG % {"api": self.api, "token": "token: demo"}
        urls = ", ".join(f'"{peer}"' for peer in peers)
        path.write_text(text.replace("log: {}", f"alertmanager: {{urls: [{urls}], {how}}}"))
        words = ("run", "--config", str(path))
        with started(Daemon, self.folder, *words, is_forked=True) as daemon:
            daemon.until_fresh()
            yield daemon

    def run(self, number: int, status: str) -> str:
        """Let a run of a task end soon; answers with the task's name."""
        tasks = httpx.get(f"{self.control}/world").json()["tasks"]
        name, id_ = sorted(tasks.items())[number]
        wish = {"task_id": id_, "in_seconds": 0, "lasts_seconds": 1, "ends": status}
        assert httpx.post(f"{self.control}/task-runs", json=wish).status_code == 201
        return str(name)

    def told(self, name: str) -> list[str]:
        """Answer with what Alertmanager told of one task, message by message."""
        messages = [received.json for received in self.inbox.received]
        return [one["status"] for one in messages if one["groupLabels"] == {"name": name}]


def shown(peer: str, name: str):
    """Answer with what fires in Alertmanager of one task."""
    found = httpx.get(f"{peer}/api/v2/alerts", params={"filter": f'name="{name}"'}).json()
    return [alert for alert in found if alert["labels"]["alertname"] == "failed"]


@pytest.fixture(scope="module")
def tmc(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("tmc"), "--scenario", "small") as addresses:
        yield addresses


@pytest.fixture
def stage(tmc, alertmanager_binary, tmp_path):
    inbox = Receiver()
    with inbox.open():
        yield Stage(tmc[0], tmc[1], inbox, tmp_path, alertmanager_binary)


def test_what_fires_is_shown_to_both_peers_and_over_when_it_is(stage):
    with stage.peer("a") as one, stage.peer("b") as other:
        with stage.mirroring(one, other, how=LONG):
            name = stage.run(3, "EXECUTION_FAILED")
            first = [eventually(lambda peer=peer: shown(peer, name)) for peer in (one, other)]
        with stage.mirroring(one, other, how=LONG):
            again = [shown(peer, name) for peer in (one, other)]
            stage.run(3, "EXECUTION_SUCCESS")
            for peer in (one, other):
                eventually(lambda peer=peer: not shown(peer, name))
        eventually(lambda: len(stage.told(name)) == 4)
    assert [[alert["startsAt"] for alert in alerts] for alerts in again] == [
        [alert["startsAt"] for alert in alerts] for alerts in first
    ]
    assert "failed" in first[0][0]["annotations"]["summary"]
    assert sorted(stage.told(name)) == ["firing", "firing", "resolved", "resolved"]


def test_what_a_killed_daemon_showed_ends_by_itself(stage):
    with stage.peer("a") as peer, stage.mirroring(peer, how=SHORT) as daemon:
        name = stage.run(4, "EXECUTION_FAILED")
        eventually(lambda: shown(peer, name))
        daemon.signal(signal.SIGKILL)
        eventually(lambda: not shown(peer, name))


def test_a_peer_that_is_away_delays_no_other_and_is_shown_all_when_it_is_back(stage):
    with stage.peer("a") as away:
        port = int(away.rpartition(":")[2])
    with stage.peer("b") as there, stage.mirroring(away, there, how=LONG) as daemon:
        name = stage.run(5, "EXECUTION_FAILED")
        eventually(lambda: shown(there, name))
        failures = eventually(lambda: daemon.logged("mirror_fails"))
        with stage.peer("a", port=port):
            eventually(lambda: shown(away, name))
        metrics = daemon.answer("/metrics").text
    assert [one["target"] for one in failures] == ["team/alertmanager-0"]
    counted = 'tmcwatch_notification_failures_total{reason="temporary",receiver="team"} '
    assert counted in metrics
    assert f"{counted}0.0" not in metrics
