"""Matchers: Alertmanager's syntax, with errors that say what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmcwatch.domain.matcher import Matcher, MatcherError, Operator, all_match, matcher_from

TEXTS = [
    ('severity="critical"', ("severity", "=", "critical")),
    ("severity=critical", ("severity", "=", "critical")),
    ("  severity != critical  ", ("severity", "!=", "critical")),
    ('name=~"load_.*"', ("name", "=~", "load_.*")),
    ("name!~load|sync", ("name", "!~", "load|sync")),
    ('name=""', ("name", "=", "")),
    ("name=", ("name", "=", "")),
    ('name=" a b "', ("name", "=", " a b ")),
    (r'name="a\"b\\c\nd"', ("name", "=", 'a"b\\c\nd')),
    (r'name=~"\\d+\.\d"', ("name", "=~", r"\d+\.\d")),
    ("_a1=x", ("_a1", "=", "x")),
    ("name==x", ("name", "=", "=x")),
    ('name=a"b', ("name", "=", 'a"b')),
]


@pytest.mark.parametrize(("text", "parts"), TEXTS)
def test_matchers_are_read_as_alertmanager_reads_them(text, parts):
    matcher = matcher_from(text)
    assert (matcher.label, matcher.operator.value, matcher.value) == parts


@pytest.mark.parametrize("text", ["", "severity", "=x", "1a=x", "a-b=x", "a>b", "{a=b}"])
def test_a_text_that_is_no_matcher_is_refused_by_name(text):
    with pytest.raises(MatcherError, match="is not a matcher such as") as caught:
        matcher_from(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ['a="', 'a="x', 'a="x"y', 'a="x"y"', r'a="x\"'])
def test_a_value_must_be_quoted_to_its_end(text):
    with pytest.raises(MatcherError, match="not quoted to its end"):
        matcher_from(text)


@pytest.mark.parametrize("pattern", ["(", "*", "[a", "a{99999999999999}", "(?P<x>a)(?P<x>b)"])
@pytest.mark.parametrize("operator", ["=~", "!~"])
def test_what_is_no_regular_expression_is_refused(pattern, operator):
    with pytest.raises(MatcherError, match="is no regular expression"):
        matcher_from(f"name{operator}{pattern}")
    assert matcher_from(f"name={pattern}").value == pattern


@pytest.mark.parametrize(
    ("text", "matched", "not_matched"),
    [
        ("name=load", ["load"], ["load2", "", "Load"]),
        ("name!=load", ["load2", ""], ["load"]),
        ("name=~load|sync", ["load", "sync"], ["loads", "preload", "load sync", ""]),
        ("name!~load.*", ["sync", "preload", ""], ["load", "loads"]),
        ('name=""', [""], ["x"]),
        ('name!=""', ["x"], [""]),
        ("name=~.+", ["x"], [""]),
    ],
)
def test_a_regular_expression_matches_the_whole_value(text, matched, not_matched):
    matcher = matcher_from(text)
    assert all(matcher.matches({"name": value}) for value in matched)
    assert not any(matcher.matches({"name": value}) for value in not_matched)


def test_a_label_that_is_missing_has_the_empty_value():
    assert matcher_from('team=""').matches({})
    assert matcher_from("team!=crm").matches({})
    assert not matcher_from("team=~.+").matches({})


def test_all_matchers_must_match():
    both = [matcher_from("a=1"), matcher_from("b=2")]
    assert all_match(both, {"a": "1", "b": "2"})
    assert not all_match(both, {"a": "1"})
    assert all_match([], {})


@given(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]*", fullmatch=True),
    st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]),
    st.text(),
)
def test_a_matcher_is_read_back_from_its_text(label, operator, value):
    matcher = Matcher(label=label, operator=operator, value=value)
    assert matcher_from(str(matcher)) == matcher


@given(st.text())
def test_any_text_is_a_matcher_or_refused_with_a_reason(text):
    try:
        matcher = matcher_from(f"name={text}")
    except MatcherError as error:
        assert str(error)  # noqa: PT017 - either is right
    else:
        assert matcher.label == "name"
