"""Escaping: in each format, a hostile text is a text: no tag, no link, no emphasis, no mention."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from markdown_it import MarkdownIt

from tests.delivering.hostile import HOSTILE, WORST
from tmcwatch.delivering.escaping import hypertext, markdown
from tmcwatch.domain.harmless import plain

COMMONMARK = MarkdownIt("commonmark")
GITHUB_LIKE = MarkdownIt("js-default", {"linkify": False, "typographer": False})
JOINER = "\N{WORD JOINER}"
MENTION = re.compile(r"(?<!\w)@\w|<[!@#]|@(here|channel|everyone|all)\b", re.IGNORECASE)
HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Page(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def every_worst(test):
    for text in WORST:
        test = example(text)(test)
    return test


@every_worst
@given(HOSTILE)
@settings(deadline=None)
def test_a_plain_text_is_one_line_that_calls_nobody(text):
    shown = plain(text)
    assert not HARMFUL.search(shown)
    assert not MENTION.search(shown)


@pytest.mark.uncounted
@every_worst
@given(HOSTILE)
@settings(deadline=None)
def test_html_shows_the_text_as_it_is(text):
    page = Page(hypertext(text))
    assert page.tags == []
    assert page.text == plain(text)


@pytest.mark.parametrize("parser", [COMMONMARK, GITHUB_LIKE], ids=["commonmark", "github"])
@pytest.mark.parametrize("around", ["{}", "**{}**", "- *error*: {}", "**FAILED: {}** (PROD)"])
@given(text=HOSTILE)
@settings(max_examples=40, deadline=None)
def test_markdown_shows_the_text_as_it_is(parser, around, text):
    text = text[:2_000]
    page = Page(parser.render(around.format(f"x {markdown(text)} x")))
    calm = Page(parser.render(around.format("x y x")))
    assert page.tags == calm.tags
    expected = calm.text.replace("x y x", f"x {plain(text)} x")
    assert page.text.replace(JOINER, "").split() == expected.replace(JOINER, "").split()
    assert not MENTION.search(page.text)


@given(HOSTILE)
@settings(deadline=None)
def test_markdown_cannot_begin_a_list_or_a_heading(text):
    page = Page(COMMONMARK.render(markdown(text[:2_000])))
    assert page.tags in ([], ["p"])


@pytest.mark.parametrize(
    "text", ["load_customers", "select * from x", "Foo.java:12 (main)", "a & b", "50 %", "ends!"]
)
def test_markdown_leaves_alone_what_is_markup_nowhere(text):
    assert markdown(text) == text


def test_the_address_of_a_mail_is_no_mention():
    assert plain("ann@example.org") == "ann@example.org"
    assert plain("(@ann)") == f"(@{JOINER}ann)"
