"""Messages fit what services take: as many whole alerts as there is room for, nothing broken."""

import json
import re
from dataclasses import replace
from datetime import UTC
from typing import Any

import apprise
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivering.hostile import HOSTILE
from tests.delivering.rendered import slack
from tests.delivering.test_escaping import Page
from tests.delivering.test_words import alert, message
from tmcwatch.delivering import words_for
from tmcwatch.domain.message import Message, Wish, Words
from tmcwatch.notifiers.apprise.fitting import Fitting, Letter

SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
URLS = {
    "slack": SLACK,
    "slack in blocks": f"{SLACK}?blocks=yes",
    "mail": "mailto://me:secret@example.org",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12345/",
    "pagerduty": f"pagerduty://{'i' * 16}@{'a' * 16}",
    "sms": f"twilio://AC{'a' * 32}:{'b' * 32}@15551233267/15551233268",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "google chat": "gchat://workspace/key/token",
    "webex": f"wxteams://{'a' * 80}",
    "matrix": "matrix://me:secret@example.org/#room",
    "pushover": f"pover://{'u' * 30}@{'t' * 30}?format=html",
}
LINK = "https://tmc.example.org/run?id=1&tab=log"


def service(url: str) -> Any:
    found = apprise.Apprise.instantiate(url)
    assert found is not None
    return found


class Sent:
    """What a plug-in of Apprise would send, after all its own conversions and cuts."""

    def __init__(self, url: str, message: Message) -> None:
        self.service = service(url)
        self.service.overflow_mode = apprise.OverflowMode.TRUNCATE
        self.letter: Letter = Fitting(self.service).letter(words_for(message, time_zone=UTC))
        calls: list[dict[str, str]] = []

        def send(**options: str) -> bool:
            calls.append(options)
            return True

        self.service.send = send
        whole = apprise.Apprise()
        whole.add(self.service)
        assert whole.notify(
            title=self.letter.title, body=self.letter.body, body_format=self.letter.body_format
        )
        (call,) = calls
        self.title, self.body = call["title"], call["body"].replace("\xa0", " ")

    @property
    def listed(self) -> int:
        return len(re.findall("FAILED", self.body))


def failures(count: int, error: str = "boom") -> Message:
    texts = {"error": error, "link": LINK, "usual": "12 min", "owner": "data team"}
    return message(
        *(alert(f"load_{n:02}", annotations=texts) for n in range(count)), rule="failed"
    )


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(("count", "error"), [(1, "e"), (1, "&<é" * 400_000), (30, "&<é" * 400)])
def test_a_message_fits_and_nothing_is_broken_off(name, count, error):
    sent = Sent(URLS[name], failures(count, error))
    limits = sent.service
    assert len(sent.body) <= (3_000 if "blocks" in name else limits.body_maxlen)
    assert len(sent.title) <= (150 if "blocks" in name else limits.title_maxlen)
    everything = sent.title + sent.body
    assert re.search(r"\[[0-9a-f]{6}\\?\]", everything)
    assert not re.search(r"&[a-z#0-9]*$", sent.body)
    assert "message 3f2a9c0d17aa" in sent.body or name in {"sms", "pagerduty"}
    if count == 30 and name != "sms":
        (counted,) = re.findall(r"And (\d+) more", sent.body)
        assert int(counted) + sent.listed == 30


@pytest.mark.uncounted
def test_as_many_alerts_are_listed_as_there_is_room_for():
    listed = {name: Sent(url, failures(30, "e" * 300)).listed for name, url in URLS.items()}
    assert listed["slack"] == 20
    assert listed["mail"] == 20
    assert 6 <= listed["telegram"] < 20
    assert 2 <= listed["discord"] < listed["telegram"]
    assert 1 <= listed["pagerduty"] <= listed["discord"]


def test_a_short_message_says_what_happened_where_and_since_when():
    sent = Sent(URLS["sms"], failures(1, "Connection refused by db.example.org:5432"))
    assert sent.body.splitlines() == [
        f"FAILED: load_00 (PROD / finance) {re.findall(r'.{8}$', sent.letter.title)[0]}",
        "since 09:02 UTC · warning",
        "error: Connection refused by db.example.org:5432",
    ]


def test_a_name_longer_than_a_text_message_is_cut_and_its_reference_is_kept():
    sent = Sent(URLS["sms"], message(alert("x" * 1_000)))
    assert len(sent.body) <= 160
    assert re.match(r"FAILED: x+… \[[0-9a-f]{6}\]\r?\n", sent.body)


def test_a_title_that_stands_above_is_not_said_again():
    sent = Sent(URLS["slack"], failures(1))
    assert "load_00" in sent.title
    assert "load_00" not in sent.body
    assert "load_00" in Sent(URLS["mail"], failures(1)).body


def test_slack_gets_links_as_links_only_where_it_knows_them():
    assert f"open in TMC: {LINK}".replace("&", "&amp;") in Sent(SLACK, failures(1)).body
    in_blocks = Sent(URLS["slack in blocks"], failures(1)).body
    assert f"<{LINK.replace('&', '&amp;')}|open in TMC>" in in_blocks
    assert "load_00" not in in_blocks


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{SLACK}?format=markdown", "markdown"),
        (f"{SLACK}?blocks=yes&format=text", "text"),
        (f"{URLS['mail']}?format=text", "text"),
        (f"{URLS['telegram']}?format=markdown", "markdown"),
        ("json://example.org?format=html", "text"),
        ("json://example.org", "text"),
    ],
)
def test_the_format_that_a_url_asks_for_is_used(url, expected):
    assert Sent(url, failures(2)).letter.body_format == expected


def test_words_of_a_set_that_cannot_be_shortened_are_broken_off_as_text():
    stubborn = Words(title="t" * 500, text="&" * 9_000, markdown="m", html="h", reference="3f2a91")
    letter = Fitting(service(URLS["telegram"])).letter(stubborn)
    assert letter.body.endswith("…")
    assert 500 < len(letter.body) < 4096 / len("&amp;")
    assert letter.title.endswith(" [3f2a91]")


@pytest.mark.parametrize("name", ["google chat", "mail", "telegram"])
def test_a_title_that_has_to_do_for_the_text_is_escaped(name):
    silent = Words(title="<http://evil.example|x> <b>", text="", markdown="", html="")
    letter = Fitting(service(URLS[name])).letter(silent)
    sent = service(URLS[name]).dialect_convert(letter.body, letter.body_format)
    assert letter.body_format == "text" or "<" not in sent.replace("\\<", "")


def test_a_mail_in_plain_text_makes_sense_without_its_subject():
    assert Sent(f"{URLS['mail']}?format=text", failures(1)).body.startswith("FAILED: load_00")


@given(
    texts=st.lists(HOSTILE, min_size=1, max_size=4),
    name=st.sampled_from(["telegram", "pushover", "google chat", "slack", "slack in blocks"]),
)
@settings(max_examples=60, deadline=None)
def test_hostile_texts_fit_and_stay_texts(texts, name):
    alerts = [alert(f"n{text[:500]}", annotations={"error": text, "link": LINK}) for text in texts]
    sent = Sent(URLS[name], message(*alerts))
    assert len(sent.body) <= sent.service.body_maxlen
    links = sent.body.replace(f"<{LINK.replace('&', '&amp;')}|", "")
    links = re.sub(r"<https://watch\.example\.org/[^|>]*\|", "", links)
    allowed = {"b", "br", "a"} if name in {"telegram", "pushover"} else set()
    assert set(Page(links).tags) <= allowed
    assert not re.search("<[!@#]", sent.body)


@pytest.mark.parametrize("query", ["", "?blocks=yes", "?format=markdown"])
@given(texts=st.lists(HOSTILE, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_nothing_in_a_payload_for_slack_calls_people_or_leads_elsewhere(query, texts):
    alerts = [alert(f"n{text[:500]}", annotations={"error": text, "link": LINK}) for text in texts]
    payload = slack(words_for(message(*alerts), time_zone=UTC), query)
    shown = json.dumps(payload, ensure_ascii=False)
    own = rf"<(?:{re.escape(LINK.replace('&', '&amp;'))}|https://watch\.example\.org/[a-z0-9/]*)\|"
    assert "<" not in re.sub(own, "", shown)
    assert not re.search(r"(?<!\w)@\w", shown)


def test_the_longest_message_is_not_slow_to_shorten():
    told = words_for(failures(30, "&" * 1_000_000), time_zone=UTC)
    wishes = [told.reworded(Wish(shortened=n)) for n in range(30)]
    shorter = [len(words.text) for words in wishes if words is not None]
    assert shorter[:25] == sorted(shorter[:25], reverse=True)
    assert len(shorter) == 29
    assert replace(told, title="x").reworded(Wish(shortened=29)) is None
