"""`alerts`: in lines, tables and JSON, and what people do about them."""

import json
from typing import Any

import click
import pytest

from tests.cli.daemon import serving

ID = "3f2a1b2c3d4e5f60"
OTHER = "3f2a1b2c99999999"
LABELS = {
    "alertname": "failed",
    "account": "prod",
    "environment": "PROD",
    "workspace": "crm",
    "kind": "task",
    "name": "load[b]",
}
FIRING: dict[str, Any] = {
    "id": ID,
    "status": "firing",
    "state": "firing",
    "severity": "warning",
    "labels": LABELS,
    "annotations": {"summary": "task load failed", "error": "a\nb"},
    "starts_at": "2026-11-20T10:00:00.123456Z",
    "ends_at": None,
    "end_reason": None,
    "count": 3,
    "due_at": None,
    "acknowledged": None,
    "snoozed": None,
    "muted_by": [],
    "notes": [],
    "opened_at": "2026-11-20T10:00:05.5Z",
    "changed_at": "2026-11-20T10:30:00Z",
    "groups": [],
    "told": [],
}
TAKEN = FIRING | {
    "id": "77777777aaaaaaaa",
    "state": "acknowledged",
    "acknowledged": {"by": "oncall/ann", "at": "2026-11-20T10:05:00.9Z", "until": None},
    "muted_by": ["silence 77"],
}
OVER = FIRING | {
    "id": "99999999aaaaaaaa",
    "state": "resolved",
    "ends_at": "2026-11-20T11:00:00Z",
    "end_reason": "recovered",
    "labels": {"alertname": "watching", "account": "prod", "kind": "account", "name": "prod"},
    "count": 1,
}
ALERTS = "/api/v1/alerts"


def daemon(*found, deeds=None, **options):
    answers = {ALERTS: (200, list(found))} | {f"{ALERTS}/{one['id']}": (200, one) for one in found}
    return serving(answers | (deeds or {}), **options)


def test_alerts_are_a_line_each(call):
    with daemon(FIRING, TAKEN, OVER) as url:
        result = call("alerts", "list", "--url", url)
    rest = "severity warning, rule failed, kind task, name load[b], where prod / PROD / crm"
    since = "since 2026-11-20T10:00:00Z, runs 3"
    on_it = "acknowledged by oncall/ann at 2026-11-20T10:05:00Z, until it ends"
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            f"id 3f2a1b2c, state firing, {rest}, {since}, attention none",
            (
                f"id 77777777, state acknowledged, {rest}, {since}, "
                f"attention {on_it}; muted by silence 77"
            ),
            (
                "id 99999999, state recovered, severity warning, rule watching, kind account, "
                "name prod, where prod, since 2026-11-20T10:00:00Z, runs 1, attention none"
            ),
        ],
    )


def test_ids_are_as_long_as_they_need_to_be(call):
    with daemon(FIRING, FIRING | {"id": OTHER}) as url:
        lines = call("alerts", "list", "--url", url).stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["id 3f2a1b2c3", "id 3f2a1b2c9"]


def test_on_a_terminal_they_are_a_table_that_shows_names_as_they_are(call):
    with daemon(FIRING) as url:
        result = call("alerts", "list", "--url", url, FORCE_COLOR="1", COLUMNS="300")
    shown = click.unstyle(result.output)
    assert "┃" in shown
    assert "load[b]" in shown


def test_on_a_narrow_terminal_no_word_is_broken(call):
    with daemon(FIRING) as url:
        result = call("alerts", "list", "--url", url, FORCE_COLOR="1", COLUMNS="80")
    lines = [line.rstrip() for line in click.unstyle(result.output).splitlines()]
    assert lines == [
        "3f2a1b2c state firing, severity warning, rule failed, kind task, name load[b],",
        "         where prod / PROD / crm, since 2026-11-20T10:00:00Z, runs 3",
    ]


def test_as_json_they_are_what_the_daemon_says(call):
    with daemon(FIRING) as url:
        assert json.loads(call("alerts", "list", "--json", "--url", url).output) == [FIRING]
        assert json.loads(call("alerts", "show", ID, "--json", "--url", url).output) == FIRING


def test_none_is_said_in_words_and_in_json_as_an_empty_list(call):
    with daemon() as url:
        assert call("alerts", "list", "--url", url).output == "no alert\n"
        assert json.loads(call("alerts", "list", "--json", "--url", url).output) == []


def test_open_ones_are_asked_for_where_nothing_else_is_said(call):
    asked: list[object] = []
    with daemon(asked=asked) as url:
        call("alerts", "list", "--url", url)
    assert asked == [f"{ALERTS}?state=open&limit=1000"]


def test_filters_are_asked_of_the_daemon(call):
    words = ("--rule", "failed", "--severity", "critical", "--account", "on call")
    asked: list[object] = []
    with daemon(asked=asked) as url:
        call("alerts", "list", *words, "--state", "all", "--matcher", "team!=x", "--url", url)
    assert len(asked) == 1
    for part in ("rule=failed", "severity=critical", "account=on+call", "state=all"):
        assert part in str(asked)
    assert "matcher=team%21%3D%22x%22" in str(asked)


def test_the_environment_may_name_the_file_of_the_token(call, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    with daemon(FIRING, token="secret") as url:
        refused = call("alerts", "list", "--url", url)
        result = call("alerts", "list", TMCWATCH_URL=url, TMCWATCH_TOKEN_FILE=str(token))
    assert (refused.exit_code, result.exit_code) == (2, 0)
    assert "load[b]" in result.output


def test_regular_expressions_are_applied_here_so_that_they_need_no_token(call):
    asked: list[object] = []
    with daemon(FIRING, OVER, asked=asked) as url:
        words = ("--matcher", "name=~load.*", "--matcher", 'name!~"x.*"')
        result = call("alerts", "list", *words, "--url", url)
    assert [line[:11] for line in result.stdout.splitlines()] == ["id 3f2a1b2c"]
    assert "matcher" not in str(asked)


def test_a_list_that_was_cut_before_it_was_looked_at_says_so(call):
    with daemon(*[FIRING] * 1000) as url:
        cut = call("alerts", "list", "--url", url)
        narrowed = call("alerts", "list", "--matcher", "name=~x", "--url", url)
    assert cut.stderr == "only the first 1000 are shown\n"
    assert narrowed.stderr == "only the first 1000 were looked at\n"


@pytest.mark.parametrize("text", ["name", "name=~["])
def test_a_matcher_that_is_none_is_wrong_usage(call, text):
    result = call("alerts", "list", "--matcher", text, "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "name" in result.stderr


def test_everything_that_is_known_of_an_alert_is_shown(call):
    at = "2026-11-20T10:05:00.5Z"
    told = {
        "delivery": "d1",
        "target": "oncall/webhook",
        "status": "firing",
        "severity": "warning",
        "state": "pending",
        "attempts": 3,
        "owed_since": at,
        "changed_at": at,
        "text": "host: answered 503",
    }
    notes = [
        {"at": at, "author": "oncall/ann", "act": "acknowledged", "text": ""},
        {"at": at, "author": "bob", "act": "noted", "text": "the\ndisk"},
    ]
    groups = [{"receiver": "oncall", "told": None, "muted": "interval weekend"}]
    shown = TAKEN | {"notes": notes, "told": [told], "groups": groups, "snoozed": None}
    with serving({f"{ALERTS}/7777": (200, shown)}) as url:
        result = call("alerts", "show", "7777", "--url", url)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "alert 77777777aaaaaaaa: failed load[b] (PROD / crm)",
            "state acknowledged, severity warning, 3 runs",
            "acknowledged by oncall/ann at 2026-11-20T10:05:00Z, until it ends",
            "muted by silence 77",
            (
                "began 2026-11-20T10:00:00Z, opened 2026-11-20T10:00:05Z, "
                "changed 2026-11-20T10:30:00Z"
            ),
            "labels",
            '  account="prod"',
            '  alertname="failed"',
            '  environment="PROD"',
            '  kind="task"',
            '  name="load[b]"',
            '  workspace="crm"',
            "annotations",
            "  error: a b",
            "  summary: task load failed",
            "notes",
            "  2026-11-20T10:05:00Z oncall/ann acknowledged",
            "  2026-11-20T10:05:00Z bob noted: the disk",
            "told",
            (
                "  2026-11-20T10:05:00Z oncall/webhook firing (warning) pending, attempts 3: "
                "host: answered 503, delivery d1"
            ),
            "groups",
            "  receiver oncall, told nothing yet, muted by interval weekend",
        ],
    )


def test_an_alert_that_is_over_or_not_told_yet_says_so(call):
    waiting = FIRING | {"state": "pending", "due_at": "2026-11-20T10:15:00Z"}
    with daemon(OVER, waiting) as url:
        over = call("alerts", "show", OVER["id"], "--url", url).stdout
        pending = call("alerts", "show", ID, "--url", url).stdout
    assert "over since 2026-11-20T11:00:00Z: recovered" in over.splitlines()
    assert "not told before 2026-11-20T10:15:00Z" in pending


@pytest.mark.parametrize("words", [("list",), ("show", ID)])
def test_a_name_cannot_steer_the_terminal(call, words):
    hostile = FIRING | {"labels": LABELS | {"name": "\x1b[31mred\u202e\nx"}}
    with daemon(hostile) as url:
        output = call("alerts", *words, "--url", url).output
    assert "\x1b" not in output
    assert "\u202e" not in output


DEEDS = {
    "ack": ("acknowledge", "acknowledged"),
    "snooze": ("snooze", "snoozed"),
    "close": ("close", "closed"),
}


@pytest.mark.parametrize("word", DEEDS)
def test_a_deed_is_told_for_each_alert_with_who_did_it_and_why(call, tmp_path, word):
    path, said = DEEDS[word]
    token = tmp_path / "token"
    token.write_text("secret\n")
    asked: list[object] = []
    deeds = {f"{ALERTS}/{id_}/{path}": (200, FIRING) for id_ in ("3f2a", "77")}
    options = ("--note", "on it", "--by", "ann", "--token-file", str(token))
    with daemon(deeds=deeds, asked=asked, token="secret") as url:
        result = call("alerts", word, "3f2a", "77", "3f2a", *options, "--url", url)
    line = f"{said} 3f2a1b2c: failed load[b] (PROD / crm)\n"
    assert (result.exit_code, result.output) == (0, line * 2)
    assert asked == [{"note": "on it", "by": "ann"}] * 2


@pytest.mark.parametrize("word", ["ack", "snooze"])
def test_it_may_be_for_a_while_and_is_said_until_when(call, word):
    path, said = DEEDS[word]
    kept = {"by": "oncall", "at": "2026-11-20T10:00:00Z", "until": "2026-11-20T14:00:00.7Z"}
    deeds = {f"{ALERTS}/3f/{path}": (200, FIRING | {"acknowledged": kept, "snoozed": kept})}
    asked: list[object] = []
    with daemon(deeds=deeds, asked=asked) as url:
        result = call("alerts", word, "3f", "--for", "4h", "--url", url)
    assert result.output.startswith(f"{said} 3f2a1b2c until 2026-11-20T14:00:00Z: ")
    assert asked == [{"for": "4h"}]


def test_a_note_is_written(call):
    asked: list[object] = []
    with daemon(deeds={f"{ALERTS}/3f/note": (200, FIRING)}, asked=asked) as url:
        result = call("alerts", "note", "3f", "the disk", "--url", url)
        as_json = call("alerts", "note", "3f", "the disk", "--json", "--url", url)
    assert result.output == "noted 3f2a1b2c: failed load[b] (PROD / crm)\n"
    assert json.loads(as_json.output) == [FIRING]
    assert asked == [{"note": "the disk"}] * 2


def test_what_fails_for_one_alert_is_done_for_the_others(call):
    deeds = {
        f"{ALERTS}/aa/close": (404, {"error": "no alert has an id that begins with 'aa'"}),
        f"{ALERTS}/bb/close": (200, FIRING),
        f"{ALERTS}/cc/close": (400, {"error": "alert cc is over"}),
    }
    with daemon(deeds=deeds) as url:
        result = call("alerts", "close", "aa", "bb", "cc", "--url", url)
    assert result.exit_code == 2
    assert result.stdout == "closed 3f2a1b2c: failed load[b] (PROD / crm)\n"
    assert result.stderr.splitlines() == [
        f"{url}: no alert has an id that begins with 'aa'",
        f"{url}: alert cc is over",
    ]


@pytest.mark.parametrize("id_", ["", "../x", "a b", "a?b", "ü", "x" * 65])
@pytest.mark.parametrize("word", ["ack", "show"])
def test_what_cannot_be_an_id_is_wrong_usage(call, word, id_):
    result = call("alerts", word, "--url", "http://127.0.0.1:1", "--", id_)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "is not an id" in result.stderr


@pytest.mark.parametrize(("status", "code"), [(401, 2), (403, 2), (404, 1), (400, 2), (503, 3)])
def test_what_the_daemon_refuses_is_one_line(call, status, code):
    deeds = {f"{ALERTS}/3f/acknowledge": (status, {"error": "no"})}
    with daemon(deeds=deeds) as url:
        result = call("alerts", "ack", "3f", "--url", url)
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)


def test_a_daemon_that_is_away_is_said_once(call):
    result = call("alerts", "ack", "aa", "bb", "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)


@pytest.mark.parametrize("word", ["list", "show", "ack", "snooze", "note", "close"])
def test_help_shows_an_example(call, word):
    assert f"tmcwatch alerts {word} " in call("alerts", word, "--help").output + " "
