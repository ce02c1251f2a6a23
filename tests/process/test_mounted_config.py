"""The real daemon on a mounted ConfigMap and Secret, swapped under it as the kubelet does."""

from pathlib import Path

import httpx
import pytest

from tests.process.processes import Daemon, eventually, simulated, started
from tests.process.volume import Volume

CONFIG = """\
accounts: [{name: prod, url: "%(api)s", token_file: %(folder)s/secret/token, api_share: %(share)s}]
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
rule_files: ["*-rules.yaml"]
store: {url: "sqlite:///%(folder)s/tmcwatch.db"}
route: {receiver: team}
receivers: [{name: team, log: {}}]
http:
  listen: 127.0.0.1:0
  tokens: [{name: oncall, file: "%(folder)s/secret/oncall", may: change}]
"""
RULES = "rules: [{name: load_failed, phases: [failed]}]\n"
RELOADED = "tmcwatch_config_last_reload_successful"
MOST_UNDER_WAY = 4
"""Requests that may carry the token from before a swap, as they have begun by then."""


class Pod:
    """The daemon with its config and its Secret mounted, and the TMC that it asks."""

    def __init__(self, folder: Path, tmc: tuple[str, str]) -> None:
        self.folder = folder
        self._api, self._control = tmc
        self.config = Volume(folder / "config", {"tmcwatch.yaml": self.text()})
        self.secret = Volume(folder / "secret", {"token": "demo", "oncall": "first"})

    def text(self, *, share: float = 0.2) -> str:
        return CONFIG % {"api": self._api, "folder": self.folder, "share": share}

    def asked(self, status: int = 200) -> int:
        """Answer with how many requests TMC has answered so."""
        world = httpx.get(f"{self._control}/world", timeout=10).json()
        return int(world["requests_by_status"].get(str(status), 0))


@pytest.fixture(scope="module")
def tmc(tmp_path_factory):
    with simulated(tmp_path_factory.mktemp("tmc")) as addresses:
        yield addresses


@pytest.fixture
def pod(tmc, tmp_path):
    return Pod(tmp_path, tmc)


@pytest.fixture
def daemon(pod):
    path = pod.folder / "config/tmcwatch.yaml"
    with started(Daemon, pod.folder, "run", "--config", str(path), is_forked=True) as daemon:
        daemon.until_fresh()
        yield daemon


def granted(daemon: Daemon) -> float:
    (account,) = daemon.answer("/api/v1/status").json()["accounts"]
    return float(account["granted_per_second"])


def is_said(daemon: Daemon, beginning: str) -> bool:
    """Tell whether a line of the metrics begins so."""
    lines = daemon.answer("/metrics").text.splitlines()
    return any(line.startswith(beginning) for line in lines)


def test_swapped_files_are_used_and_broken_ones_do_not_stop_polling(daemon, pod):
    before = granted(daemon)
    pod.config.swap({"tmcwatch.yaml": pod.text(share=0.1), "team-rules.yaml": RULES})
    eventually(lambda: granted(daemon) == pytest.approx(before / 2))
    assert is_said(daemon, f"{RELOADED} 1.0")
    assert is_said(daemon, 'tmcwatch_alerts_firing{rule="load_failed"')

    broken = pod.text().replace("receiver: team", "receiver: nobody")
    pod.config.swap({"tmcwatch.yaml": broken})
    eventually(lambda: is_said(daemon, f"{RELOADED} 0.0"))
    asked = pod.asked()
    eventually(lambda: pod.asked() >= asked + 5)
    daemon.until_fresh()
    assert granted(daemon) == pytest.approx(before / 2)
    [refused] = daemon.logged("config_refused")
    assert "config/tmcwatch.yaml:5: route.receiver: " in refused["problem"]

    pod.config.swap({"tmcwatch.yaml": pod.text()})
    eventually(lambda: is_said(daemon, f"{RELOADED} 1.0"))
    assert granted(daemon) == pytest.approx(before)
    assert len(daemon.logged("config_reloaded")) == 2


def test_a_swapped_token_is_used_by_the_next_request(daemon, pod):
    pod.secret.swap({"token": "wrong", "oncall": "first"})
    answered = pod.asked()
    eventually(lambda: pod.asked(401) > 0)
    assert pod.asked() - answered <= MOST_UNDER_WAY
    pod.secret.swap({"token": "demo", "oncall": "first"})
    refused = pod.asked(401)
    eventually(lambda: pod.asked() > answered + MOST_UNDER_WAY)
    assert pod.asked(401) - refused <= MOST_UNDER_WAY
    daemon.until_fresh()


def test_a_swapped_token_of_our_own_interface_is_the_only_one_from_then_on(daemon, pod):
    def reload(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.post(f"{daemon.url}/-/reload", headers=headers, timeout=10).status_code

    assert (reload("first"), reload("second")) == (200, 401)
    pod.secret.swap({"token": "demo", "oncall": "second"})
    assert (reload("first"), reload("second")) == (401, 200)
