"""Kinds of notifiers that other packages bring, installed as their users do, good and bad."""

import re
from pathlib import Path

import pytest

from tests.process.packages import installed
from tests.process.processes import CONFIG, Command, Daemon, eventually, simulated, started
from tests.receiving import Receiver

README = Path(__file__).parents[2] / "README.md"
SENDS_BADLY = """
from pydantic import BaseModel, SecretStr
IDEMPOTENT = False
class Options(BaseModel):
    token: SecretStr
class Crow:
    def __init__(self, options, outside):
        self.token = options.token.get_secret_value()
    async def send(self, message, words):
        raise RuntimeError(f"no carrion for {self.token}")
    async def aclose(self):
        raise RuntimeError("still hungry")
def build(options, outside):
    return Crow(options, outside)
def problems(options):
    return []
"""
NOT_FOUND = "ModuleNotFoundError: No module named 'feathers_that_nobody_has'"
SOURCES = {
    "crow": SENDS_BADLY,
    "dodo": "import feathers_that_nobody_has",
    "moa": "IDEMPOTENT = True\ndef build(options, outside): ...\ndef problems(options): ...",
}


def example() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if "class Options" in block]
    return str(block)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where the README's example and some bad kinds are installed."""
    return installed(tmp_path_factory.mktemp("packages"), {"pigeon": example(), **SOURCES})


@pytest.fixture
def loft():
    """Where pigeons fly to."""
    loft = Receiver()
    with loft.open():
        yield loft


@pytest.fixture
def command(site, tmp_path):
    """Run a command with what is installed, and a receiver that is told by `ways`."""

    def begun(ways, *words, kind=Command, api="http://127.0.0.1:9"):
        path = tmp_path / "c.yaml"
        text = CONFIG % {"api": api, "token": "token: demo"}
        text = text.replace("receiver: team", "receiver: team, group_wait: 0s")
        path.write_text(text.replace("log: {}", ways))
        return started(kind, tmp_path, *words, "--config", str(path), PYTHONPATH=str(site))

    return begun


@pytest.fixture
def ended(command):
    """Run a command to its end; answers with its exit code and what it wrote."""

    def run(*arguments):
        with command(*arguments) as one:
            return one.ends(), one.output + one.errors

    return run


def test_a_kind_of_another_package_is_checked(ended, loft):
    code, text = ended(f"pigeon: {{loft: 'http://{loft.address}/secret-loft'}}", "check-config")
    assert code == 0
    assert text.endswith("c.yaml: ok: 1 account, 1 receiver, 1 route, 0 labels, 0 rules\n")


def test_what_is_wrong_with_such_kinds_is_told_in_a_line_each(ended):
    code, text = ended("dodo: {}, moa: {}, pigeon: {loft: nowhere}", "check-config")
    assert code == 2
    assert [line.partition("c.yaml")[2] for line in text.splitlines()] == [
        f":6: receivers[0].dodo: the notifier 'dodo' cannot be loaded: {NOT_FOUND}",
        ":6: receivers[0].moa: the notifier 'moa' has no Options in moa",
        ":6: receivers[0].pigeon: a loft has an address",
    ]


def test_such_kinds_are_tried_and_one_that_crashes_is_named(ended, loft):
    ways = (
        f"pigeon: {{loft: 'http://{loft.address}/secret-loft'}}, crow: {{token: dead-mans-token}}"
    )
    code, text = ended(ways, "notify", "test", "team")
    assert code == 1
    assert "team/pigeon: accepted: the loft: 200\n" in text
    assert "team/crow: not accepted: the notifier 'crow' crashed: RuntimeError\n" in text
    assert "dead-mans-token" not in text
    assert "notify_test" in loft.received[0].json["title"]


def test_one_that_crashes_delays_neither_the_others_nor_the_end(command, loft, tmp_path):
    ways = (
        f"pigeon: {{loft: 'http://{loft.address}/secret-loft'}}, crow: {{token: dead-mans-token}}"
    )
    with (
        simulated(tmp_path) as (api, _),
        command(ways, "run", kind=Daemon, api=api) as daemon,
    ):
        (delivered,) = eventually(lambda: daemon.logged("message_delivered"))
        (postponed, *_) = eventually(lambda: daemon.logged("delivery_postponed"))
        assert daemon.answer("/readyz").is_success
        daemon.process.terminate()
        assert daemon.ends() == 0
    assert delivered["target"] == "team/pigeon"
    assert "Now watching prod" in loft.received[0].json["text"]
    assert postponed["error"] == "the notifier 'crow' crashed: RuntimeError"
    assert [one["kind"] for one in daemon.logged("notifier_not_closed")] == ["crow"]
    assert "secret-loft" not in daemon.errors
    assert "dead-mans-token" not in daemon.errors
