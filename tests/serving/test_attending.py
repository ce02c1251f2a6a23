"""The endpoints about alerts and silences: who did it, what is refused, what is wrong."""

import json

import pytest

from tests.serving.daemon import CHANGER, READER, Desk, attending
from tmcwatch.domain.alert import Severity
from tmcwatch.domain.attention import OPEN, Act, State
from tmcwatch.domain.matcher import matcher_from
from tmcwatch.serving.operations import Deed, Hush, Wanted

BOTH = (READER, CHANGER)
ALERTS = "/api/v1/alerts"
SILENCES = "/api/v1/silences"
ACTS = {
    "acknowledge": Act.ACKNOWLEDGED,
    "snooze": Act.SNOOZED,
    "note": Act.NOTED,
    "close": Act.CLOSED,
}
HUSH = {"matchers": ["name=load"], "for": "2h", "comment": "migration"}


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def call(ask, desk):
    """Ask, with the token that may change if nothing else is said."""

    async def call(method, path, *, token=CHANGER, tokens=BOTH, **request):
        doing = {"attending": attending(desk)}
        return await ask(method, path, token=token, tokens=tokens, doing=doing, **request)

    return call


async def test_all_alerts_are_listed_where_nothing_else_is_asked(call, desk):
    answer = await call("GET", ALERTS)
    assert (answer.status_code, answer.json()) == (200, desk.found)
    assert desk.asked == [Wanted(most=1000)]


async def test_alerts_are_asked_for_by_every_filter(call, desk):
    query = [("rule", "failed"), ("rule", "misfired"), ("severity", "critical")]
    query += [("account", "prod"), ("matcher", 'name=~"a.*"'), ("matcher", "team!=x")]
    query += [("state", "pending"), ("state", "muted"), ("limit", "7")]
    await call("GET", ALERTS, params=query)
    assert desk.asked == [
        Wanted(
            rules=("failed", "misfired"),
            severities=(Severity.CRITICAL,),
            accounts=("prod",),
            matchers=(matcher_from("name=~a.*"), matcher_from("team!=x")),
            states=frozenset({State.PENDING, State.MUTED}),
            most=7,
        )
    ]


@pytest.mark.parametrize(("word", "states"), [("open", OPEN), ("all", frozenset(State))])
async def test_a_word_stands_for_several_states(call, desk, word, states):
    await call("GET", ALERTS, params={"state": word})
    assert desk.asked == [Wanted(states=states)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"severity": "bad"}, "severity: one of info, warning, critical is needed"),
        ({"state": "on"}, "state: one of open, resolved,"),
        ({"matcher": "name"}, "matcher: 'name' is not a matcher"),
        ({"matcher": "name=~["}, "matcher: 'name=~['"),
        ({"matcher": "a=" + "x" * 1000}, "matcher: a text of at most 1,000"),
        ({"limit": "0"}, "limit: a number"),
        ({"sate": "all"}, "sate: not known; allowed: rule, severity,"),
    ],
)
async def test_a_filter_that_is_none_is_named(call, desk, query, field):
    answer = await call("GET", ALERTS, params=query)
    assert (answer.status_code, desk.asked) == (400, [])
    assert answer.json()["error"].startswith(field)


@pytest.mark.parametrize("text", ["name=~(a+)+$", "name!~(a+)+$"])
async def test_regular_expressions_are_not_taken_from_everybody(call, desk, text):
    query = {"matcher": text}
    answer = await call("GET", ALERTS, tokens=(CHANGER,), token=None, params=query)
    assert (answer.status_code, desk.asked) == (403, [])
    answer = await call("GET", ALERTS, token=READER, params=query)
    assert answer.status_code == 200


async def test_one_alert_is_shown_by_the_beginning_of_its_id(call, desk):
    assert (await call("GET", f"{ALERTS}/3f2a")).json() == desk.found[0]
    answer = await call("GET", f"{ALERTS}/77")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no alert has an id that begins with '77'"}


@pytest.mark.parametrize(("word", "act"), ACTS.items())
async def test_a_deed_is_done_in_the_name_of_the_token(call, desk, word, act):
    answer = await call("POST", f"{ALERTS}/3f2a/{word}", json={"note": " on it "})
    assert (answer.status_code, answer.json()) == (200, desk.found[0])
    assert desk.asked == [Deed(alert="3f2a", act=act, author="oncall", text="on it")]


@pytest.mark.parametrize("word", ["acknowledge", "snooze"])
async def test_who_did_it_and_for_how_long_may_be_said(call, desk, word):
    await call("POST", f"{ALERTS}/3f2a/{word}", json={"by": "ann", "for": "4h"})
    [deed] = desk.asked
    assert (deed.author, deed.lasts, deed.text) == ("oncall/ann", "4h", "")


@pytest.mark.parametrize("word", ["acknowledge", "snooze", "close"])
async def test_nothing_needs_to_be_said(call, desk, word):
    assert (await call("POST", f"{ALERTS}/3f2a/{word}")).status_code == 200
    assert desk.asked == [Deed(alert="3f2a", act=ACTS[word], author="oncall")]


@pytest.mark.parametrize(
    ("word", "body", "error"),
    [
        ("acknowledge", [], "a JSON object is needed, with note, for, by"),
        ("acknowledge", {"until": "4h"}, "until: not known; allowed: note, for, by"),
        ("acknowledge", {"for": 4}, "for: a text is needed"),
        ("acknowledge", {"note": None}, "note: a text is needed"),
        ("snooze", {"note": "x" * 2001}, "note: at most 2,000 characters"),
        ("snooze", {"by": ""}, "by: a name of 1 to 64 characters is needed"),
        ("snooze", {"by": "a\nb"}, "by: a name of 1 to 64 characters is needed"),
        ("snooze", {"by": "x" * 65}, "by: at most 64 characters"),
        ("note", {}, "note: is needed, and not to be empty"),
        ("note", {"note": "  "}, "note: is needed, and not to be empty"),
        ("note", {"note": "x", "for": "1h"}, "for: not known; allowed: note, by"),
        ("close", {"for": "1h"}, "for: not known; allowed: note, by"),
    ],
)
async def test_a_deed_that_is_not_said_rightly_is_refused(call, desk, *, word, body, error):
    answer = await call("POST", f"{ALERTS}/3f2a/{word}", json=body)
    assert (answer.status_code, answer.json(), desk.asked) == (400, {"error": error}, [])


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"note": "\\ud800"}', b"[" * 60_000])
async def test_a_body_that_nobody_can_read_is_refused(call, desk, body):
    answer = await call("POST", f"{ALERTS}/3f2a/acknowledge", content=body)
    assert (answer.status_code, desk.asked) == (400, [])


async def test_a_note_needs_a_body(call):
    answer = await call("POST", f"{ALERTS}/3f2a/note")
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "note: is needed, and not to be empty",
    )


async def test_silences_are_listed_with_or_without_those_that_are_over(call):
    assert (await call("GET", SILENCES)).json() == [{"expired": False}]
    assert (await call("GET", f"{SILENCES}?expired=true")).json() == [{"expired": True}]
    answer = await call("GET", f"{SILENCES}?expired=maybe")
    assert answer.json() == {"error": "expired: one of true, false is needed"}


async def test_a_silence_is_added_in_the_name_of_the_token(call, desk):
    answer = await call("POST", SILENCES, json=HUSH | {"by": "ann", "starts_at": "2026-11-27Z"})
    assert (answer.status_code, answer.json()) == (201, {"id": "s1", "mutes": 2})
    assert desk.asked == [
        Hush(
            matchers=(matcher_from("name=load"),),
            author="oncall/ann",
            comment="migration",
            lasts="2h",
            starts_at="2026-11-27Z",
        )
    ]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"matchers": []}, "matchers: a list of 1 to 20 matchers is needed"),
        ({"matchers": "name=x"}, "matchers: a list of 1 to 20 matchers is needed"),
        ({"matchers": ["a=b"] * 21}, "matchers: a list of 1 to 20 matchers is needed"),
        ({"matchers": ["a=b", 1]}, "matchers[1]: a text of at most 1,000 characters is needed"),
        ({"matchers": ["a=b", "c"]}, "matchers[1]: 'c' is not a matcher such as severity="),
        ({"for": ""}, "for: is needed, and not to be empty"),
        ({"comment": " "}, "comment: is needed, and not to be empty"),
        ({"ends_at": "x"}, "ends_at: not known; allowed: matchers, for, comment, starts_at, by"),
    ],
)
async def test_a_silence_that_is_not_said_rightly_is_refused(call, desk, changes, error):
    answer = await call("POST", SILENCES, json=HUSH | changes)
    assert (answer.status_code, desk.asked) == (400, [])
    assert answer.json()["error"].startswith(error)


@pytest.mark.parametrize("name", ["matchers", "for", "comment"])
async def test_a_silence_needs_to_say_what_how_long_and_why(call, name):
    body = {key: value for key, value in HUSH.items() if key != name}
    answer = await call("POST", SILENCES, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name}: ")


async def test_a_silence_is_ended(call):
    answer = await call("DELETE", f"{SILENCES}/s1")
    assert (answer.status_code, answer.json()) == (200, {"id": "s1", "state": "expired"})
    assert (await call("DELETE", f"{SILENCES}/nobody")).status_code == 404


CHANGES = [
    *(("POST", f"{ALERTS}/3f2a/{word}") for word in ACTS),
    ("POST", SILENCES),
    ("DELETE", f"{SILENCES}/s1"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 401), (READER, 403)])
async def test_to_change_something_needs_a_token_for_it(
    call, desk, *, method, path, token, status
):
    answer = await call(method, path, token=token, content=json.dumps(HUSH))
    assert (answer.status_code, desk.asked) == (status, [])


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_the_login_of_a_browser_changes_nothing_here(call, desk, method, path):
    # A browser sends it by itself, on behalf of any page that makes it post something.
    answer = await call(method, path, token=None, auth=("ann", "c-secret-é"))
    assert (answer.status_code, desk.asked) == (401, [])
