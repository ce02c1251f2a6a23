"""`deliveries`: what a daemon owes and gave up, in lines, tables and JSON, and its replay."""

import json

import click
import pytest

from tests.cli.daemon import serving

ID = "0f343b0931126a20f133d67c2b018a3b"
TELLS = [
    {"alertname": "failed", "status": "firing", "number": 7, "names": ["load", "ex[b]tract"]},
    {"alertname": "blind", "status": "resolved", "number": 1, "names": []},
]
COMMON = {
    "id": ID,
    "receiver": "oncall",
    "target": "oncall/webhook",
    "owed_since": "2026-11-20T10:00:00Z",
    "attempts": 3,
    "error": "host: answered 503",
    "tells": TELLS,
}
OWED = {**COMMON, "state": "pending", "due_at": "2026-11-20T10:05:00Z"}
SENDING = {**COMMON, "state": "sending", "due_at": "2026-11-20T10:05:00Z", "error": None}
DEAD = {**COMMON, "state": "dead", "given_up_at": "2026-11-20T11:00:00Z"}
DONE = {"replayed": 2, "nothing_left": 0, "left": 0}


def daemon(*, pending=(), dead=(), replay=(200, DONE), **options):
    return serving(
        {
            "/api/v1/deliveries/pending": (200, list(pending)),
            "/api/v1/deliveries/dead": (200, list(dead)),
            "/api/v1/deliveries/replay": replay,
        },
        **options,
    )


def test_what_is_owed_is_a_line_each(call):
    with daemon(pending=[OWED, SENDING]) as url:
        result = call("deliveries", "pending", "--url", url)
    told = "tells 7 failed firing: load, ex[b]tract, …; 1 blind resolved"
    start = "target oncall/webhook, owed since 2026-11-20T10:00:00Z"
    due = "next try 2026-11-20T10:05:00Z"
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            f"{start}, state pending, attempts 3, {due}, {told}, last error host: answered 503",
            f"{start}, state sending, attempts 3, next try now, {told}, last error none",
        ],
    )


def test_what_was_given_up_is_a_line_each_and_no_failure(call):
    with daemon(dead=[DEAD]) as url:
        result = call("deliveries", "dead", TMCWATCH_URL=url)
    assert result.exit_code == 0
    assert result.stdout == (
        f"id {ID}, target oncall/webhook, given up 2026-11-20T11:00:00Z, attempts 3, "
        "tells 7 failed firing: load, ex[b]tract, …; 1 blind resolved, why host: answered 503\n"
    )


@pytest.mark.parametrize(
    ("what", "words"), [("pending", "nothing is owed"), ("dead", "nothing was given up")]
)
def test_nothing_is_said_in_words_and_in_json_as_an_empty_list(call, what, words):
    with daemon() as url:
        assert call("deliveries", what, "--url", url).output == f"{words}\n"
        assert json.loads(call("deliveries", what, "--json", "--url", url).output) == []


@pytest.mark.parametrize(("what", "row"), [("pending", OWED), ("dead", DEAD)])
def test_as_json_it_is_what_the_daemon_says(call, what, row):
    with daemon(**{what: [row]}) as url:
        result = call("deliveries", what, "--json", "--url", url)
    assert json.loads(result.output) == [row]


@pytest.mark.parametrize(("what", "row"), [("pending", OWED), ("dead", DEAD)])
def test_on_a_terminal_it_is_a_table_that_shows_names_as_they_are(call, what, row):
    with daemon(**{what: [row]}) as url:
        result = call("deliveries", what, "--url", url, FORCE_COLOR="1", COLUMNS="300")
    shown = click.unstyle(result.output)
    assert result.exit_code == 0
    assert "┃" in shown
    assert "ex[b]tract" in shown


def test_moments_are_told_to_the_second(call):
    precise = {"owed_since": "2026-11-20T10:00:00.123456Z", "due_at": "2026-11-20T10:05:00.5Z"}
    dead = DEAD | {"given_up_at": "2026-11-20T11:00:00.123456Z"}
    with daemon(pending=[OWED | precise], dead=[dead]) as url:
        owed = call("deliveries", "pending", "--url", url).output
        given_up = call("deliveries", "dead", "--url", url).output
    assert "owed since 2026-11-20T10:00:00Z, " in owed
    assert "next try 2026-11-20T10:05:00Z, " in owed
    assert "given up 2026-11-20T11:00:00Z, " in given_up


@pytest.mark.parametrize("what", ["pending", "dead"])
def test_one_receiver_is_asked_for_by_its_name(call, what):
    asked: list[str] = []
    with daemon(asked=asked) as url:
        call("deliveries", what, "--receiver", "on call", "--url", url)
    assert asked == [f"/api/v1/deliveries/{what}?limit=1000&receiver=on+call"]


def test_a_name_cannot_steer_the_terminal(call):
    hostile = [{**TELLS[0], "names": ["\x1b[31mred\u202e"]}]
    with daemon(dead=[{**DEAD, "tells": hostile, "error": "a\nb\x07"}]) as url:
        output = call("deliveries", "dead", "--url", url).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert output.endswith("why a b\N{REPLACEMENT CHARACTER}\n")


def test_a_list_that_was_cut_says_so(call):
    with daemon(dead=[DEAD] * 1000) as url:
        result = call("deliveries", "dead", "--url", url)
    assert result.stderr == "only the first 1000 are shown\n"


def test_letters_that_cannot_be_read_are_listed(call):
    with daemon(dead=[{**DEAD, "tells": []}]) as url:
        assert "tells what cannot be read" in call("deliveries", "dead", "--url", url).output


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ((ID, "other"), {"ids": [ID, "other"]}),
        (("--receiver", "oncall"), {"receiver": "oncall"}),
        (("--all", "--yes"), {"all": True}),
    ],
    ids=["ids", "receiver", "all"],
)
def test_a_replay_says_what_is_meant_and_how_many_are_due(call, tmp_path, words, body):
    token = tmp_path / "token"
    token.write_text("secret\n")
    asked: list[object] = []
    with daemon(asked=asked, token="secret") as url:
        options = ("--url", url, "--token-file", str(token))
        result = call("deliveries", "replay", *words, *options)
    assert (result.exit_code, result.output) == (0, "2 to be sent again\n")
    assert asked == [body]


def test_a_replay_says_what_is_not_sent_and_why(call):
    done = {"replayed": 1, "nothing_left": 2, "left": 3}
    with daemon(replay=(200, done)) as url:
        lines = call("deliveries", "replay", ID, "--url", url).stdout.splitlines()
        as_json = call("deliveries", "replay", ID, "--json", "--url", url).stdout
    assert [line.split(maxsplit=2)[:2] for line in lines] == [
        ["1", "to"],
        ["2", "settled:"],
        ["3", "left"],
    ]
    assert json.loads(as_json) == done


def test_an_unknown_id_is_found_wrong_and_named(call):
    refused = (404, {"error": "no delivery has the id nowhere"})
    with daemon(replay=refused) as url:
        result = call("deliveries", "replay", "nowhere", "--url", url)
    assert (result.exit_code, result.stderr) == (1, f"{url}: no delivery has the id nowhere\n")


def test_a_daemon_that_knows_no_replay_is_no_wrong_id(call):
    with daemon(replay=(404, {"error": "Not Found"})) as url:
        assert call("deliveries", "replay", ID, "--url", url).exit_code == 3


@pytest.mark.parametrize("status", [401, 403])
def test_without_a_token_for_it_a_replay_is_refused(call, status):
    with daemon(replay=(status, {"error": "no"})) as url:
        result = call("deliveries", "replay", ID, "--url", url)
    assert (result.exit_code, result.stderr) == (2, f"{url}: no (see --token-file)\n")


@pytest.mark.parametrize("words", [(), (ID, "--all"), ("--all", "--receiver", "oncall")])
def test_exactly_one_way_of_saying_what_to_replay_is_needed(call, words):
    result = call("deliveries", "replay", *words, "--url", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "one of IDs, --receiver or --all is needed" in result.stderr


def test_all_needs_a_yes_where_nobody_can_be_asked(call):
    asked: list[object] = []
    with daemon(asked=asked) as url:
        result = call("deliveries", "replay", "--all", "--url", url)
    assert (result.exit_code, asked) == (2, [])
    assert "--yes" in result.stderr


@pytest.mark.parametrize("command", ["pending", "dead", "replay"])
def test_a_daemon_that_is_not_there_is_unreachable(call, command):
    words = [ID] if command == "replay" else []
    assert call("deliveries", command, *words, "--url", "http://127.0.0.1:1").exit_code == 3


@pytest.mark.parametrize("command", ["pending", "dead", "replay"])
def test_help_shows_an_example(call, command):
    assert f"tmcwatch deliveries {command} " in call("deliveries", command, "--help").output


def test_what_waits_for_a_parked_target_is_tried_once_that_is_over(call):
    parked = OWED | {"parked_until": "2026-11-21T00:00:00Z"}
    with daemon(pending=[parked]) as url:
        lines = call("deliveries", "pending", "--url", url).output
    assert "next try 2026-11-21T00:00:00Z" in lines
