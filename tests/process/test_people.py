"""People and the real daemon: what they do by command and on the page counts, and outlives it."""

import json

import httpx
import pytest
from click.testing import CliRunner

from tests.process.processes import Daemon, eventually, simulated, started
from tmcwatch.cli.commands import tmcwatch

CONFIG = """\
accounts:
  - {name: prod, url: "%s", token: demo}
watch: {beat: 1s, settle: {floor: 2s}, history: 0s}
store: {url: "sqlite:///tmcwatch.db"}
route: {receiver: team, group_wait: 0s}
receivers: [{name: team, log: {}}]
http:
  listen: "127.0.0.1:0"
  tokens: [{name: oncall, token: secret, may: change}]
grace: 10s
"""
TASK = "load_orders_0000"


@pytest.fixture
def tmc(tmp_path):
    with simulated(tmp_path) as addresses:
        yield addresses


def running(folder, tmc):
    path = folder / "tmcwatch.yaml"
    path.write_text(CONFIG % tmc[0])
    (folder / "token").write_text("secret")
    return started(Daemon, folder, "run", "--config", str(path), is_forked=True)


def call(daemon, folder, *words):
    env = {"TMCWATCH_URL": daemon.url}
    changes = words[1] not in {"list", "show"}
    token = ("--token-file", str(folder / "token")) if changes else ()
    result = CliRunner().invoke(tmcwatch, [*words, *token], env=env)
    assert result.exit_code == 0, result.output
    return result.stdout


def found(daemon, folder, state):
    text = call(daemon, folder, "alerts", "list", "--state", state, "--json")
    return [one["id"] for one in json.loads(text) if one["labels"]["name"] == TASK]


def fail(tmc):
    body = {"task_id": TASK, "lasts_seconds": 1, "ends": "EXECUTION_FAILED", "error": "full"}
    httpx.post(f"{tmc[1]}/task-runs", json=body).raise_for_status()


def test_what_people_do_counts_at_once_and_outlives_a_restart(tmp_path, tmc):
    with running(tmp_path, tmc) as daemon:
        daemon.until_fresh()
        fail(tmc)
        [id_] = eventually(lambda: found(daemon, tmp_path, "firing"))
        call(daemon, tmp_path, "alerts", "ack", id_[:6], "--note", "on it", "--by", "ann")
    with running(tmp_path, tmc) as daemon:
        assert "oncall/ann acknowledged: on it" in call(daemon, tmp_path, "alerts", "show", id_)
        words = ("silence", "add", f"name={TASK}", "--for", "2h", "--comment", "why")
        assert "about 1 alert that is open now" in call(daemon, tmp_path, *words)
        assert found(daemon, tmp_path, "muted") == [id_]
        call(daemon, tmp_path, "alerts", "close", id_)
        assert found(daemon, tmp_path, "open") == []
        assert f"{TASK}: failed" in daemon.answer(f"/alerts/{id_}").text


def test_the_page_acknowledges_for_who_logs_in(tmp_path, tmc):
    with running(tmp_path, tmc) as daemon:
        daemon.until_fresh()
        fail(tmc)
        [id_] = eventually(lambda: found(daemon, tmp_path, "firing"))
        sent = httpx.post(
            f"{daemon.url}/alerts/{id_}/acknowledge",
            data={"note": "from the page", "for": "4h"},
            headers={"origin": daemon.url},
            auth=("ann", "secret"),
            follow_redirects=True,
        )
        assert sent.status_code == 200
        assert "oncall/ann</strong> is on it" in sent.text
        assert found(daemon, tmp_path, "acknowledged") == [id_]
