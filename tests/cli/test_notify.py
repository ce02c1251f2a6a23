"""`notify test`: a message to each target, and what each answered."""

import json

import pytest

from tests.receiving import Receiver

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

NOWHERE = "webhook: {url: 'http://127.0.0.1:1/hook'}"
PEERS = "alertmanager: {urls: ['http://%s', 'http://127.0.0.1:1']}"


def test_a_receiver_that_accepts_is_told(call, config):
    result = call("notify", "test", "team", "--config", config())
    assert result.exit_code == 0
    assert result.stdout == "team/log: accepted: 1 written\n"
    assert "This is a test message of tmcwatch" in result.stderr


def test_a_target_that_does_not_accept_is_named(call, config):
    path = config(("log: {}", f"log: {{}}\n    {NOWHERE}"))
    result = call("notify", "test", "team", "--config", path)
    assert result.exit_code == 1
    assert "team/log: accepted" in result.stdout
    assert "team/webhook: not accepted: 127.0.0.1: connect error" in result.stderr


def test_each_peer_of_a_mirror_is_shown_an_alert_that_ends_by_itself(call, config):
    peer = Receiver()
    with peer.open():
        path = config(("log: {}", PEERS % peer.address))
        result = call("notify", "test", "team", "--config", path)
    assert result.exit_code == 1
    assert result.stdout == "team/alertmanager-0: accepted: 1 accepted by 127.0.0.1\n"
    assert "team/alertmanager-1: not accepted" in result.stderr
    (alert,) = json.loads(peer.received[0].body)
    assert alert["labels"]["alertname"] == "test"
    assert alert["startsAt"] < alert["endsAt"]


def test_an_unknown_receiver_is_wrong_usage(call, config):
    result = call("notify", "test", "tem", "--config", config())
    assert result.exit_code == 2
    assert result.stderr == "no receiver is called 'tem': there are team\n"


@pytest.mark.parametrize(("target", "code"), [("log: {}", 0), (NOWHERE, 1)])
def test_as_json_it_is_what_each_target_said(call, config, target, code):
    path = config(("log: {}", target))
    result = call("notify", "test", "team", "--json", "--config", path)
    [told] = json.loads(result.stdout)
    assert (result.exit_code, told["accepted"]) == (code, code == 0)
