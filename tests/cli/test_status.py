"""`status`: a running daemon in lines, as a table, as JSON; and what can go wrong."""

import json
from typing import Any

import click
import pytest

from tests.cli.daemon import STALE, STATUS, answering
from tmcwatch.cli.status import _age

READ = "watermark 3 s old, head 5 min 10 s old, open 2 running, 7 succeeded, 1 failed, 0 other, "
READ += (
    "TMC reads windows by overlap; catching up with 2026-11-20T09:00:00Z to 2026-11-20T11:00:00Z"
)


def test_in_a_pipe_it_is_plain_lines(call):
    with answering() as url:
        result = call("status", "--url", url)
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "tmcwatch 0.1.0: sees everything in time",
        f"account prod: tasks: {READ}",
        "account new: nothing read yet",
        "firing: failed (critical): 2",
        "receiver team: 1 to be told, 0 given up",
    ]


def test_a_receiver_that_fails_and_is_left_alone_is_told(call):
    until = "2026-11-20T00:10:00Z"
    owed: Any = next(iter(STATUS["outbox"]))
    trouble = [owed | {"failing": True, "parked_until": until}]
    with answering(status=(200, STATUS | {"outbox": trouble})) as url:
        lines = call("status", "--url", url).output.splitlines()
        table = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    said = f"fails; left alone until {until}"
    assert f"receiver team: 1 to be told, 0 given up; {said}" in lines
    assert said in table


def test_a_config_that_was_refused_is_told(call):
    refused = STATUS | {"config_refused_at": "2026-11-20T00:00:00Z"}
    with answering(status=(200, refused)) as url:
        lines = call("status", "--url", url).output.splitlines()
        table = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    said = "config: refused at 2026-11-20T00:00:00Z, so an older one is in use: check-config"
    assert lines[1].startswith(said)
    assert said in click.unstyle(table)


def test_pressure_is_told(call):
    prod: Any = next(iter(STATUS["accounts"]))
    tasks = {**prod["lists"][0], "beat_seconds": 34.0}
    until = "2026-11-20T00:01:00Z"
    pressed = {**prod, "requests_per_second": 2.0, "paused_until": until, "lists": [tasks]}
    with answering(status=(200, STATUS | {"accounts": [pressed]})) as url:
        lines = call("status", "--url", url).output.splitlines()
        table = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    refuses = "account prod: TMC refuses more than 120 of the 360 requests a minute allowed here"
    assert f"{refuses}; tasks are looked at every 34 s" in lines
    assert f"account prod: TMC asked for a pause: no requests until {until}" in lines
    assert refuses in table


def test_what_is_not_read_or_not_known_yet_is_told_on_a_terminal_too(call):
    given: Any = STATUS["accounts"]
    prod, new = given
    unknown = {**prod["lists"][0], "reading": "unknown"}
    accounts = [{**prod, "lists": [unknown]}, new]
    with answering(status=(200, STATUS | {"accounts": accounts})) as url:
        lines = call("status", "--url", url).output
        table = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    with answering(status=(200, STATUS | {"accounts": [new]})) as url:
        empty = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    for text in (lines, table):
        assert "how TMC reads windows is not known yet; " in text
        assert "account new: nothing read yet" in text
    assert "nothing read yet" in empty
    assert "watermark" not in empty


PROMOTION = {
    "account": "prod",
    "execution": "e1",
    "phase": "running",
    "name": "",
    "given_up": False,
}
PROMOTIONS = [
    PROMOTION,
    {**PROMOTION, "execution": "e2", "phase": "unknown", "given_up": True},
    {**PROMOTION, "execution": "e3", "name": "TEST to PROD"},
]


def test_promotions_without_an_end_are_told(call):
    with answering(status=(200, STATUS | {"promotions": PROMOTIONS})) as url:
        lines = call("status", "--url", url).output.splitlines()
        table = call("status", "--url", url, FORCE_COLOR="1", COLUMNS="120").output
    assert "account prod: promotion e1: running" in lines
    assert "account prod: promotion e2: given up, as TMC never knew it" in lines
    assert "account prod: promotion e3: running (TEST to PROD)" in lines
    assert "given up, as TMC never knew it" in table


@pytest.mark.parametrize("terminal", [{}, {"FORCE_COLOR": "1", "COLUMNS": "200"}])
def test_names_are_shown_as_they_are_and_steer_no_terminal(call, terminal):
    hostile = "[blink]x[/] [/red] :bomb: \x1b[2J\a"
    given: Any = STATUS["accounts"]
    read, unread = given
    pressed = {**read, "name": hostile, "requests_per_second": 2.0}
    owed: Any = next(iter(STATUS["outbox"]))
    status = STATUS | {
        "accounts": [pressed, {**unread, "name": hostile}],
        "outbox": [owed | {"receiver": hostile}],
        "alerts_firing": [{"rule": hostile, "severity": "info", "number": 1}],
        "promotions": [{**PROMOTION, "account": hostile, "name": hostile}],
    }
    with answering(status=(200, status)) as url:
        result = call("status", "--url", url, **terminal)
    assert result.exit_code == 0
    assert result.output.count("[blink]x[/] [/red] :bomb: \N{REPLACEMENT CHARACTER}[2J") >= 5
    assert "\x1b[2J" not in result.output
    assert "\a" not in result.output


def test_on_a_terminal_it_is_a_table(call):
    with answering() as url:
        result = call("status", TMCWATCH_URL=url, FORCE_COLOR="1", COLUMNS="100")
    assert result.exit_code == 0
    for text in (
        "prod",
        "tasks",
        "2 running",
        "5 min 10 s",
        "failed",
        "critical",
        "given up",
        "late",
    ):
        assert text in result.output
    assert "━" in result.output


def test_on_a_terminal_nothing_firing_or_owed_takes_no_room(call):
    quiet = STATUS | {"alerts_firing": [], "outbox": []}
    with answering(status=(200, quiet)) as url:
        result = call("status", "--url", url, FORCE_COLOR="1")
    assert "severity" not in result.output
    assert "given up" not in result.output


def test_a_daemon_that_does_not_see_everything_is_told_with_its_reasons(call):
    with answering(fresh=(503, STALE)) as url:
        result = call("status", "--url", url)
    assert result.exit_code == 1
    assert "does not see everything in time" in result.stdout
    assert result.stderr == "not fresh: account prod: tasks: never read\n"


def test_as_json_it_is_all_that_the_daemon_says(call):
    with answering(fresh=(503, STALE)) as url:
        result = call("status", "--json", "--url", url)
    assert result.exit_code == 1
    assert json.loads(result.stdout) == STATUS | STALE


def test_json_steers_no_terminal_and_says_the_same(call):
    hostile = "caf\u00e9 \U0001f600 \x9b2J\x7f\u202e\ud800"
    owed: Any = next(iter(STATUS["outbox"]))
    status = STATUS | {"outbox": [owed | {"receiver": hostile}]}
    with answering(status=(200, status)) as url:
        result = call("status", "--url", url, "--json")
    assert json.loads(result.output)["outbox"][0]["receiver"] == hostile
    assert "caf\u00e9 \U0001f600" in result.output
    assert result.output.replace("\n", "").isprintable()


def test_a_token_is_taken_from_a_file(call, tmp_path):
    (tmp_path / "token").write_text("t0ken\n")
    with answering(token="t0ken") as url:
        assert call("status", "--url", url).exit_code == 2
        result = call("status", "--url", url, "--token-file", str(tmp_path / "token"))
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe", "not text"), (b" \n", "no token"), (b"a\nb", "no t")],
)
def test_a_token_file_that_cannot_be_used_is_named(call, tmp_path, content, said):
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    result = call("status", "--token-file", str(tmp_path / "token"))
    assert result.exit_code == 2
    assert f"{tmp_path}/token" in result.stderr
    assert said in result.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ((503, {"error": "the disk is full"}), "503: the disk is full"),
        ((404, {"detail": "?"}), "404: no answer of a tmcwatch daemon"),
        ((200, b"<html>"), "no answer of a tmcwatch daemon"),
        ((200, b"[]"), "no answer of a tmcwatch daemon"),
    ],
)
def test_an_answer_that_is_none_is_one_line(call, status, said):
    with answering(status=status) as url:
        result = call("status", "--url", url)
    assert result.exit_code == 3
    assert result.stderr.startswith(url)
    assert said in result.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "http://[", "ftp://127.0.0.1"])
def test_a_daemon_that_is_not_there_is_one_line(call, url):
    result = call("status", "--url", url)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"{url}: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["status", "alerts list", "deliveries dead"])
@pytest.mark.parametrize("login", ["me:hunter2", "hunter2", "me:hunter2@example.org"])
def test_a_login_in_the_address_of_the_daemon_is_not_shown(call, command, login):
    result = call(*command.split(), TMCWATCH_URL=f"http://{login}@127.0.0.1:9")
    assert result.exit_code == 3
    assert "hun" not in result.output + result.stderr
    assert "127.0.0.1:9" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-2, "0 s"), (3.9, "3 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7500, "2 h 5 min")],
)
def test_an_age_is_written_in_the_units_that_matter(seconds, text):
    assert _age(seconds) == text
