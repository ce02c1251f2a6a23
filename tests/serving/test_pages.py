"""The pages: harmless whatever an alert is called, closed to strangers, without a script."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from tests.serving.daemon import ALERT, CHANGER, READER, Desk, attending
from tmcwatch.domain.attention import OPEN, Act
from tmcwatch.serving.operations import Deed, Unavailable, Wanted

PAGE = "/alerts/3f2a1b2c3d4e5f60"
OURS = {"sec-fetch-site": "same-origin"}
LOGIN = ("ann", CHANGER.secret)
HOSTILE = "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'\u202e\x1b"


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def visit(ask, desk):
    """Ask for a page, or send a form of it."""

    async def visit(path=PAGE, *, method="GET", tokens=(CHANGER,), login=None, **request):
        doing = {"attending": attending(desk)}
        auth = None if login is None else (login[0].encode(), login[1].encode())
        return await ask(method, path, tokens=tokens, doing=doing, auth=auth, **request)

    return visit


@pytest.fixture
def send(visit):
    async def send(word, *, login=LOGIN, headers=OURS, form=None, **request):
        path = f"{PAGE}/{word}"
        return await visit(
            path, method="POST", login=login, headers=headers, data=form or {}, **request
        )

    return send


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.links = []
        self.actions = []
        self.styles = ""
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on") or name == "style"]
        if "href" in given:
            self.links.append(given["href"])
        if action := given.get("action") or given.get("formaction"):
            self.actions.append(action)

    def handle_data(self, data):
        if self.tags[-1:] == ["style"] and not self.styles:
            self.styles = data
        else:
            self.text += data


async def test_an_alert_is_told_in_words(visit):
    answer = await visit()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    for words in (
        "load_customers: failed",
        "prod / PROD / crm",
        "Since 20 Nov, 10:02 UTC, 1 h 58 min ago · 3 runs",
        "connection refused",
        "Nobody yet.",
    ):
        assert words in page.text
    assert "https://tmc.example.org/run" in page.links


async def test_what_was_done_and_who_was_told_is_on_it(visit, desk):
    at = "2026-11-20T11:00:00Z"
    desk.found = [
        ALERT
        | {
            "state": "acknowledged",
            "acknowledged": {"by": "oncall/ann", "at": at, "until": None},
            "snoozed": {"by": None, "at": at, "until": at},
            "muted_by": ["silence 77", "interval weekend"],
            "notes": [{"at": at, "author": "bob", "act": "noted", "text": "one\n  two"}],
            "told": [
                {
                    "target": "team/log",
                    "status": "firing",
                    "severity": "warning",
                    "state": "delivered",
                    "changed_at": at,
                    "text": "3 written",
                }
            ],
        }
    ]
    page = Page((await visit()).text)
    for words in (
        "ACKNOWLEDGED",
        "oncall/ann is on it since 20 Nov, 11:00 UTC.",
        "Snoozed until 20 Nov, 11:00 UTC.",
        "Not told at present: silence 77, interval weekend.",
        "one\n  two",
        "team/log",
        "3 written",
    ):
        assert words in page.text


async def test_an_alert_that_is_over_takes_only_a_note(visit, desk):
    over = {"state": "resolved", "ends_at": "2026-11-20T11:00:00Z", "end_reason": "recovered"}
    desk.found = [ALERT | over]
    page = Page((await visit()).text)
    assert "RECOVERED" in page.text
    assert page.actions == ["3f2a1b2c3d4e5f60/note"]


async def test_an_alert_that_waits_says_until_when(visit, desk):
    desk.found = [ALERT | {"state": "pending", "due_at": "2026-11-20T12:15:00Z"}]
    assert "it has to last until 20 Nov, 12:15 UTC" in (await visit()).text


async def test_what_fires_is_listed_and_what_nobody_attends_to_first(visit, desk):
    calm = ALERT | {"id": "77", "severity": "critical", "state": "acknowledged"}
    calm |= {"acknowledged": {"by": "ann", "at": "2026-11-20T11:00:00Z", "until": None}}
    grave = ALERT | {"id": "99", "severity": "critical"}
    desk.found = [calm, ALERT, grave]
    page = Page((await visit("/alerts")).text)
    assert page.links == ["alerts/99", "alerts/3f2a1b2c3d4e5f60", "alerts/77"]
    assert "3 firing" in page.text
    assert "ann is on it" in page.text
    assert desk.asked == [Wanted(states=OPEN, most=201)]


async def test_a_list_that_was_cut_says_so(visit, desk):
    desk.found = [ALERT] * 201
    page = Page((await visit("/alerts")).text)
    assert (len(page.links), "200 and more firing" in page.text) == (200, True)


async def test_without_alerts_the_list_says_that_nothing_fires(visit, desk):
    desk.found = []
    assert "Nothing is firing" in (await visit("/alerts")).text


async def test_what_is_unusual_and_whose_it_is_are_on_the_page(visit, desk):
    unusual = {"run_time": "2 s, usually 3 min", "failures_in_a_row": "4"}
    desk.found = [ALERT | {"annotations": unusual, "labels": ALERT["labels"] | {"owner": "Ann"}}]
    text = " ".join(Page((await visit()).text).text.split())
    assert "Run time2 s, usually 3 min Failures in a row4 OwnerAnn" in text


@pytest.mark.parametrize("path", ["/alerts", PAGE])
async def test_hostile_words_stay_words(visit, desk, path):
    hostile = dict.fromkeys(ALERT["labels"], HOSTILE) | {"team": HOSTILE}
    texts = (
        *("summary", "description", "error", "step", "usual", "owner", "reason", "runbook_url"),
        *("run_time", "failures_in_a_row"),
    )
    said = {"by": HOSTILE, "at": "2026-11-20T11:00:00Z", "until": None}
    note = {"at": "2026-11-20T11:00:00Z", "author": HOSTILE, "act": "noted", "text": HOSTILE}
    desk.found = [
        ALERT
        | {"labels": hostile, "annotations": dict.fromkeys(texts, HOSTILE), "state": "muted"}
        | {"muted_by": [HOSTILE], "notes": [note], "acknowledged": said, "snoozed": said}
    ]
    answer = await visit(path)
    page = Page(answer.text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in answer.text
    assert "\x1b" not in answer.text


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScript:alert(1)",
        "data:text/html,x",
        "//host/x",
        "http://[",
        "http://a b/",
    ],
)
async def test_a_link_that_leads_nowhere_good_is_left_out(visit, desk, link):
    desk.found = [ALERT | {"annotations": {"link": link, "runbook_url": link}}]
    assert Page((await visit()).text).links == ["../alerts"]


@pytest.mark.parametrize("path", ["/alerts", PAGE, "/alerts/77"])
async def test_a_page_lets_nothing_in_but_its_own_style(visit, path):
    answer = await visit(path)
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    style = Page(answer.text).styles
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


async def test_links_and_forms_hold_under_whatever_path_a_proxy_serves_us(visit):
    page = Page((await visit()).text)
    assert [action for action in page.actions if action.startswith(("/", "http"))] == []
    assert {action.rpartition("/")[2] for action in page.actions} == {
        "acknowledge",
        "snooze",
        "note",
        "silence",
    }


async def test_without_a_token_that_may_change_there_are_no_forms(visit):
    page = Page((await visit(tokens=())).text)
    assert page.actions == []
    assert "may: change" in page.text


async def test_an_alert_that_is_not_there_is_said_on_a_page(visit):
    answer = await visit("/alerts/77")
    assert answer.status_code == 404
    assert "no alert has an id that begins with &#39;77&#39;" in answer.text


async def test_a_store_that_fails_is_said_on_a_page(visit, desk):
    async def fail(_):
        raise Unavailable("store: disk full")

    desk.alerts = fail
    answer = await visit("/alerts")
    assert (answer.status_code, "store: disk full" in answer.text) == (503, True)


async def test_reading_is_as_open_as_elsewhere(visit):
    assert (await visit(tokens=())).status_code == 200
    answer = await visit(tokens=(READER,))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Basic realm="tmcwatch')
    for login in (("", READER.secret), ("ann", CHANGER.secret)):
        assert (await visit(tokens=(READER, CHANGER), login=login)).status_code == 200
    answer = await visit(tokens=(READER,), login=("ann", "wrong"))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("word", "act"),
    [("acknowledge", Act.ACKNOWLEDGED), ("snooze", Act.SNOOZED), ("note", Act.NOTED)],
)
async def test_a_form_does_it_in_the_name_of_the_login_and_leads_back(send, desk, word, act):
    answer = await send(word, form={"note": "on it", "for": "4h"})
    assert answer.status_code == 303
    assert answer.url.join(answer.headers["location"]).path == PAGE
    lasts = None if act is Act.NOTED else "4h"
    wanted = Deed(
        alert="3f2a1b2c3d4e5f60", act=act, author="oncall/ann", text="on it", lasts=lasts
    )
    assert desk.asked == [wanted]


@pytest.mark.parametrize(
    ("user", "author"),
    [("", "oncall"), ("oncall", "oncall"), ("\x07", "oncall"), ("zoë", "oncall/zoë")],
)
async def test_who_logged_in_is_the_token_and_the_name_that_was_given(send, desk, user, author):
    await send("acknowledge", login=(user, CHANGER.secret), form={"note": "", "for": ""})
    [deed] = desk.asked
    assert (deed.author, deed.text, deed.lasts) == (author, "", None)


async def test_a_silence_from_the_page_is_of_this_rule_and_this_task(send, desk):
    answer = await send("silence", form={"for": "4h", "comment": ""})
    assert answer.status_code == 303
    [hush] = desk.asked
    assert [str(matcher) for matcher in hush.matchers] == [
        'rule="failed"',
        'account="prod"',
        'environment="PROD"',
        'workspace="crm"',
        'name="load_customers"',
    ]
    assert (hush.author, hush.lasts) == ("oncall/ann", "4h")
    assert hush.comment == "from the page of alert 3f2a1b2c3d4e5f60"


@pytest.mark.parametrize(
    ("word", "form", "error"),
    [
        ("note", {"note": " "}, "note: is needed"),
        ("silence", {"comment": "x"}, "for: is needed"),
        ("acknowledge", {"other": "x"}, "other: not known"),
        ("acknowledge", {f"x{n}": "" for n in range(11)}, "the form has too many fields"),
        ("acknowledge", {"note": "x" * 2001}, "note: at most 2,000 characters"),
    ],
)
async def test_a_form_that_makes_no_sense_is_refused_on_a_page(send, desk, *, word, form, error):
    answer = await send(word, form=form)
    assert (answer.status_code, desk.asked) == (400, [])
    assert error in answer.text


@pytest.mark.parametrize("word", ["acknowledge", "snooze", "note", "silence"])
@pytest.mark.parametrize(
    ("tokens", "login", "status"),
    [
        ((), None, 403),
        ((READER,), ("ann", READER.secret), 403),
        ((READER, CHANGER), ("ann", READER.secret), 403),
        ((CHANGER,), None, 401),
        ((CHANGER,), ("ann", "wrong"), 401),
        ((CHANGER,), (CHANGER.secret, ""), 401),
    ],
)
async def test_a_form_needs_a_token_that_may_change(send, desk, *, word, tokens, login, status):
    answer = await send(word, tokens=tokens, login=login, form={"note": "x", "for": "1h"})
    assert (answer.status_code, desk.asked) == (status, [])
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://tmcwatch"},
        {"origin": "null"},
        {"origin": "https://evil.example.org"},
        {"origin": "https://tmcwatch.evil.example.org"},
        {"origin": "https://watch.example.org.evil.example"},
        {"origin": "http://watch.example.org"},
        {"origin": ""},
    ],
)
@pytest.mark.parametrize("word", ["acknowledge", "silence"])
async def test_a_form_of_another_page_is_refused_before_anything_else(send, desk, headers, word):
    desk.external_url = "https://watch.example.org"
    answer = await send(word, headers=headers, form={"for": "1h"})
    assert (answer.status_code, desk.asked) == (403, [])
    assert "this form was not sent by a page of tmcwatch" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "https://other-name-of-ours.example.org"},
        {"origin": "http://tmcwatch"},
        {"origin": "https://tmcwatch"},
        {"origin": "https://watch.example.org"},
        {"origin": "https://WATCH.example.org"},
    ],
)
async def test_a_form_of_ours_is_taken_also_behind_a_proxy(send, desk, headers):
    desk.external_url = "https://watch.example.org/tmcwatch"
    answer = await send("acknowledge", headers=headers)
    assert answer.status_code == 303


@pytest.mark.parametrize("word", ["acknowledge", "snooze", "note", "silence"])
async def test_a_form_cannot_be_sent_by_a_link(visit, word):
    answer = await visit(f"{PAGE}/{word}", login=LOGIN, headers=OURS)
    assert answer.status_code == 405


async def test_no_page_shows_a_secret(visit, send):
    for answer in (await visit(), await send("note"), await send("note", login=("ann", "wrong"))):
        assert not re.search(
            f"{CHANGER.secret}|{READER.secret}", answer.text + str(answer.headers)
        )
