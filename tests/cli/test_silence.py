"""`silence`: added, listed and ended through a running daemon."""

import json

import click
import pytest

from tests.cli.daemon import serving

ID = "9af604efcea8dc4e"
PATH = "/api/v1/silences"
SILENCE = {
    "id": ID,
    "state": "active",
    "matchers": ['rule="failed"', 'name=~"load[b].*"'],
    "created_by": "oncall/ann",
    "comment": "migra\ntion",
    "created_at": "2026-11-20T10:00:00.5Z",
    "starts_at": "2026-11-20T10:00:00.5Z",
    "ends_at": "2026-11-20T12:00:00.5Z",
}
ADD = ("silence", "add", "name=load", "--for", "2h", "--comment", "migration")


def test_a_silence_is_added_and_says_what_it_mutes(call, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    asked: list[object] = []
    answer = (201, SILENCE | {"mutes": 1})
    options = ("--starts", "2026-11-27T22:00Z", "--by", "ann", "--token-file", str(token))
    with serving({PATH: answer}, asked=asked, token="secret") as url:
        result = call(*ADD, "team!=x", *options, "--url", url)
    said = f"silence {ID}: about 1 alert that is open now, until 2026-11-20T12:00:00Z\n"
    assert (result.exit_code, result.output) == (0, said)
    assert asked == [
        {
            "matchers": ["name=load", "team!=x"],
            "for": "2h",
            "comment": "migration",
            "starts_at": "2026-11-27T22:00Z",
            "by": "ann",
        }
    ]


@pytest.mark.parametrize("number", [0, 2])
def test_the_number_it_mutes_is_said_as_people_do(call, number):
    with serving({PATH: (201, SILENCE | {"mutes": number})}) as url:
        assert f"about {number} alerts that are open now" in call(*ADD, "--url", url).output
        as_json = call(*ADD, "--json", "--url", url).output
    assert json.loads(as_json)["mutes"] == number


@pytest.mark.parametrize("without", [("name=load",), ("--for", "2h"), ("--comment", "migration")])
def test_it_has_to_say_what_how_long_and_why(call, without):
    words = [word for word in ADD if word not in without]
    result = call(*words, "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_what_the_daemon_does_not_take_is_one_line(call):
    with serving({PATH: (400, {"error": "matchers: too much"})}) as url:
        result = call(*ADD, "--url", url)
    assert (result.exit_code, result.stderr) == (2, f"{url}: matchers: too much\n")


def test_silences_are_a_line_each(call):
    with serving({PATH: (200, [SILENCE])}) as url:
        result = call("silence", "list", "--url", url)
    assert result.output == (
        'id 9af604ef, state active, matchers rule="failed", name=~"load[b].*", '
        "from 2026-11-20T10:00:00Z, until 2026-11-20T12:00:00Z, by oncall/ann, "
        "comment migra tion\n"
    )


def test_on_a_terminal_they_are_a_table(call):
    with serving({PATH: (200, [SILENCE])}) as url:
        result = call("silence", "list", "--url", url, FORCE_COLOR="1", COLUMNS="300")
    shown = click.unstyle(result.output)
    assert "┃" in shown
    assert 'name=~"load[b].*"' in shown


def test_those_that_are_over_are_listed_when_asked_for(call):
    asked: list[object] = []
    with serving({PATH: (200, [])}, asked=asked) as url:
        assert call("silence", "list", "--url", url).output == "no silence\n"
        result = call("silence", "list", "--expired", "--json", "--url", url)
    assert asked == [PATH, f"{PATH}?expired=true"]
    assert json.loads(result.output) == []


def test_silences_are_ended_each_in_turn(call):
    asked: list[object] = []
    answers = {
        f"{PATH}/9a": (200, SILENCE),
        f"{PATH}/77": (404, {"error": "no silence has an id that begins with '77'"}),
    }
    with serving(answers, asked=asked) as url:
        result = call("silence", "expire", "77", "9a", "--url", url)
    assert asked == [f"DELETE {PATH}/77", f"DELETE {PATH}/9a"]
    assert result.exit_code == 1
    assert result.stdout == 'expired 9af604ef: rule="failed" name=~"load[b].*"\n'
    assert result.stderr == f"{url}: no silence has an id that begins with '77'\n"


def test_as_json_it_is_what_the_daemon_says(call):
    with serving({f"{PATH}/9a": (200, SILENCE)}) as url:
        result = call("silence", "expire", "9a", "--json", "--url", url)
    assert json.loads(result.output) == [SILENCE]


@pytest.mark.parametrize("word", ["add", "list", "expire"])
def test_help_shows_an_example(call, word):
    assert f"tmcwatch silence {word} " in call("silence", word, "--help").output
