"""Templates of an operator take the place of ours, and whatever they do, no message is lost."""

from datetime import UTC
from itertools import chain

import pytest
from hypothesis import example, given, settings
from structlog.testing import capture_logs

from tests.delivering.hostile import HOSTILE, WORST
from tests.delivering.test_escaping import Page
from tests.delivering.test_words import alert, message
from tmcwatch.delivering import words_for
from tmcwatch.delivering.rendering import Templates, _ours
from tmcwatch.delivering.words import tried
from tmcwatch.domain.alert import Alert
from tmcwatch.domain.message import Wish, Words


def told(texts: dict[str, str], *alerts: Alert) -> Words:
    one = alerts or (alert(annotations={"error": "boom & <b>", "owner": "data team"}),)
    return words_for(message(*one), time_zone=UTC, templates=Templates(texts, folder="templates"))


def told_html(template: str) -> str:
    return told({"message.html.j2": template}).html


def test_a_template_takes_the_place_of_ours_and_the_others_stay():
    words = told({"title.j2": "{{ lone.subject }} broke"})
    assert words.title == "load_customers broke"
    assert words.text.startswith("FAILED: load_customers (PROD / finance)")


def test_every_expression_is_escaped_for_its_format():
    words = told(
        {
            "message.txt.j2": "{{ lone.facts[0].text }}",
            "message.md.j2": "{{ lone.facts[0].text }}",
            "message.html.j2": "<i>{{ lone.facts[0].text }}</i>",
        }
    )
    assert words.text == "boom & <b>"
    assert words.markdown == "boom & \\<\N{WORD JOINER}b\\>"
    assert words.html == "<i>boom &amp; &lt;b&gt;</i>"


@pytest.mark.parametrize(
    "template",
    [
        "{{ lone.facts[0].text | safe }}",
        "{{ lone.facts[0].text | e | upper | lower }}",
        "{{ lone.facts[0].text ~ '<b>' }}",
        "{% autoescape false %}{{ lone.facts[0].text }}{% endautoescape %}",
        "{% set x %}{{ lone.facts[0].text }}{% endset %}{{ x }}",
        "{% macro m(t) %}{{ t }}{% endmacro %}{{ m(lone.facts[0].text) }}",
        (
            "{% macro m() %}{{ caller() }}{% endmacro %}"
            "{% call m() %}{{ lone.facts[0].text }}{% endcall %}"
        ),
        "{{ '%s' | format(lone.facts[0].text) }}",
        "{% set x %}{}{% endset %}{{ x.format(lone.facts[0].text) }}",
        "{% set x %}{a}{% endset %}{{ x.format_map({'a': lone.facts[0].text}) }}",
        "{% set x %}%s{% endset %}{{ x % lone.facts[0].text }}",
        "{% set x %}{% endset %}{{ x.join([lone.facts[0].text, '']) }}",
        "{% set x %}a{% endset %}{{ x.replace('a', lone.facts[0].text) }}",
        "{% set x %}a{% endset %}{{ x | replace('a', lone.facts[0].text) }}",
        "{% set x %}a{% endset %}{{ x + lone.facts[0].text }}",
        "{{ lone | string }}",
        "{% set x | replace('a', lone.facts[0].text) %}a{% endset %}{{ x }}",
        "{{ alerts | map(attribute='facts') | list }}",
        "{{ lone.annotations.error }}{{ '<b>' }}",
    ],
)
def test_no_way_of_saying_it_leads_around_the_escaping(template):
    assert "<b>" not in told_html(template)


def test_what_a_macro_or_a_block_puts_together_is_not_escaped_twice():
    template = "{% macro m(t) %}<i>{{ t }}</i>{% endmacro %}{{ m(lone.facts[0].text) }}"
    assert told_html(template) == "<i>boom &amp; &lt;b&gt;</i>"
    template = "{% set x %}<i>{{ lone.owner or '&' }}</i>{% endset %}{{ x }}"
    assert told_html(template.replace("lone.owner or ", "")) == "<i>&amp;</i>"


def test_a_template_may_extend_ours():
    template = (
        '{% extends "tmcwatch/message.html.j2" %}'
        "{% block foot %}{{ super() }}<p>{{ lone.labels.team or 'nobody' }}</p>{% endblock %}"
    )
    html = told({"message.html.j2": template}, alert(team="data")).html
    assert "<p>data</p>" in html
    assert '<a href="https://watch.example.org/"' in html
    assert "&lt;p" not in html


def test_a_template_may_include_another_of_its_folder_and_ours():
    texts = {
        "message.txt.j2": '{% include "head.j2" %}\n\n{% include "tmcwatch/message.txt.j2" %}',
        "head.j2": "Dear {{ lone.labels.workspace }},",
    }
    assert told(texts).text.startswith("Dear finance,\nFAILED: load_customers")


def test_a_shorter_wish_reaches_the_template():
    words = told(
        {"message.txt.j2": "{{ alerts | length }} {{ below_title }}"}, alert("a"), alert("b")
    )
    assert words.text == "2 False"
    shorter = words.reworded(Wish(shortened=3, below_title=True))
    assert shorter is not None
    assert shorter.text == "1 True"


BROKEN = {
    "an undefined name": ("{{ alerts }}\n{{ nonsense }}", ":2: 'nonsense' is undefined"),
    "an unknown annotation": ("{{ lone.annotations.team }}", ":1: 'dict object' has no attribute"),
    "bad syntax": ("\n\n{% if %}", ":3: Expected an expression"),
    "an unknown filter": ("{{ 1 | nonsense }}", ":1: No filter named 'nonsense'"),
    "a missing template": ("\n{% include 'x.j2' %}", ":2: there is no template 'x.j2'"),
    "endless loops": (
        "{% for a in range(9999) %}\n{% for b in range(9990) %}{% endfor %}{% endfor %}",
        ":2: its loops take more than 50,000 rounds",
    ),
    "a great range": ("{% for a in range(999999999) %}{% endfor %}", ":1: Range too big"),
    "much output": (
        "{% for a in range(9999) %}{{ lone.subject }}" + "x" * 99 + "{% endfor %}",
        ": it makes more than 500,000 characters",
    ),
    "endless macros": (
        "{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
        ":2: it calls or includes itself without an end",
    ),
    "endless includes": (
        "{% include 'message.txt.j2' %}",
        ":1: it calls or includes itself without an end",
    ),
    "great numbers": ("{{ 9 ** 9 ** 9 }}", ":1: only numbers can be multiplied"),
    "great texts": ("{{ 'x' * 999999999 }}", ":1: only numbers can be multiplied"),
    "the inside of Python": ("{{ lone.__class__ }}", ":1: access to attribute '__class__'"),
    "a change": ("{% do lone.labels.update(a=1) %}", ":1: Encountered unknown tag 'do'"),
    "a filter block": ("\n{% filter upper %}x{% endfilter %}", ":2: no filter blocks"),
    "a division": ("\n{{ 1 / 0 }}", ":2: ZeroDivisionError: division by zero"),
    "a call of a text": ("{{ lone.subject() }}", ":1: TypeError: 'str' object is not callable"),
}


@pytest.mark.parametrize("template", [each for each, _ in BROKEN.values()], ids=BROKEN)
def test_a_template_that_breaks_does_not_lose_the_message(template):
    with capture_logs() as logs:
        words = told({"message.txt.j2": template})
    (reason,) = [text for each, text in BROKEN.values() if each == template]
    assert words.text.startswith("FAILED: load_customers (PROD / finance)")
    assert f"The template could not be used: templates/message.txt.j2{reason}" in words.text
    assert "could not be used" not in words.html
    (event,) = logs
    assert event["event"] == "template_broken"
    assert event["file"] == "templates/message.txt.j2"


def test_an_annotation_of_a_template_is_cut():
    one = alert(annotations={"error": "x" * 1_000_000})
    assert len(told({"message.txt.j2": "{{ lone.annotations.error }}"}, one).text) == 2_000


def test_a_broken_title_is_replaced_by_ours():
    assert told({"title.j2": "{{ x }}"}).title == "FAILED: load_customers (PROD / finance)"


def test_a_template_that_broke_is_not_tried_again_for_shorter_words():
    words = told({"message.txt.j2": "{{ x }}"})
    with capture_logs() as logs:
        assert words.reworded(Wish(shortened=1)) is not None
    assert logs == []


@pytest.mark.uncounted
@example(WORST[0])
@example(WORST[3])
@given(HOSTILE)
@settings(max_examples=50, deadline=None)
def test_an_operators_page_keeps_its_structure(text):
    template = (
        "{% for a in alerts %}<p title='{{ a.subject }}'>{{ a.annotations.error }}</p>{% endfor %}"
    )
    text = text[:5_000]
    words = told({"message.html.j2": template}, alert(text, annotations={"error": text}))
    assert Page(words.html).tags == ["p"]


def problems(texts: dict[str, str]) -> list[str]:
    found = chain(Templates(texts, folder="templates").problems(), tried(Templates(texts)))
    return sorted({str(problem) for problem in found})


@pytest.mark.parametrize(("template", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_would_break_is_found_before_it_is_used(template, reason):
    only_once = [
        problem for problem in problems({"message.txt.j2": template}) if reason in problem
    ]
    assert len(only_once) >= 1


def test_our_own_templates_have_no_problem():
    texts = dict(_ours())
    assert problems(texts) == []
    assert problems({name: f'{{% extends "tmcwatch/{name}" %}}' for name in texts}) == []


def test_what_breaks_for_some_messages_only_is_found():
    assert problems({"title.j2": "{{ lone.subject }}"}) == [
        "title.j2:1: 'None' has no attribute 'subject'"
    ]
    assert problems({"title.j2": "{{ digest[0] }}"}) == [
        "title.j2:1: tuple object has no element 0"
    ]


def test_a_file_that_no_message_uses_is_told():
    texts = {"mesage.txt.j2": "x", "title.j2": "{% include 'part.j2' %}", "part.j2": "x"}
    assert problems(texts) == [
        (
            "templates/mesage.txt.j2: no message uses it; allowed: title.j2, message.txt.j2,"
            " message.md.j2, message.html.j2, and what these include"
        )
    ]
