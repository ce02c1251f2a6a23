"""Logs: their two forms, their time, and what is never in them."""

import io
import json
import logging
from datetime import datetime, timedelta, timezone

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tmcwatch.telemetry.logs import configure, redact

NOON = datetime(2026, 11, 20, 14, tzinfo=timezone(timedelta(hours=2)))
SECRET = 'kX9-a "quoted"/secret'


class Terminal(io.StringIO):
    def isatty(self):
        return True


class AsciiOnly(io.TextIOWrapper):
    pass


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Put structlog and the libraries' loggers back, for the tests that come after."""
    yield
    structlog.reset_defaults()
    for name in ("httpx", "httpcore", "uvicorn", "apprise", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)


def written(act, *, level="info", form="json", stream=None, on_message=None):
    stream = stream or io.StringIO()
    configure(level, form, stream=stream, clock=lambda: NOON, on_message=on_message)
    act(structlog.get_logger())
    return stream.getvalue()


def event(act, **options):
    return json.loads(written(act, **options))


def fail(text):
    raise ValueError(text)


def crash(log, text):
    try:
        fail(text)
    except ValueError:
        log.exception("round_failed")


def test_json_is_one_line_with_the_time_in_utc_first():
    line = written(lambda log: log.info("execution_failed", task="load\nall", count=2))
    assert line.count("\n") == 1
    assert list(json.loads(line).items()) == [
        ("timestamp", "2026-11-20T12:00:00.000Z"),
        ("level", "info"),
        ("event", "execution_failed"),
        ("task", "load\nall"),
        ("count", 2),
    ]


def test_the_console_shows_an_event_to_a_person_on_one_line():
    line = written(lambda log: log.warning("late", task="a b", empty="", n=[1]), form="console")
    assert line == '2026-11-20T12:00:00.000Z warning  late  task="a b"  empty=""  n=[1]\n'


def test_auto_is_console_on_a_terminal_and_json_elsewhere():
    assert written(lambda log: log.info("a"), form="auto").startswith("{")
    shown = written(lambda log: log.info("a"), form="auto", stream=Terminal())
    assert shown.endswith("info     a\n")


def test_only_events_from_the_level_on_are_written_and_counted():
    counted: list[str] = []

    def act(log):
        log.debug("a")
        log.info("b")
        log.error("c")
        crash(log, "d")

    lines = written(act, level="warning", on_message=counted.append)
    assert lines.count("\n") == 2
    assert counted == ["error", "error"]


def test_control_characters_cannot_forge_a_line_or_colour_a_terminal():
    def act(log):
        log.info("x\ny", task="\x1b[31m\r\nfake \u202e", **{"k\n": 1})
        crash(log, "first\n2026-11-20T12:00:00.000Z info forged \x1b[0m")

    lines = written(act, form="console").splitlines()
    assert lines[0].endswith(r'info     x\ny  task="\x1b[31m\r\nfake \u202e"  k\n=1')
    assert all(line.startswith("    ") for line in lines[2:])
    assert "\x1b" not in "".join(lines)


def test_a_stream_that_knows_only_ascii_gets_every_event():
    raw = io.BytesIO()
    stream = AsciiOnly(raw, encoding="ascii", write_through=True)
    configure("info", "console", stream=stream, clock=lambda: NOON)
    structlog.get_logger().info("a", name="Zürich \ud800")
    assert raw.getvalue().endswith(b'name="Z\\xfcrich \\ud800"\n')


def test_a_field_cannot_pass_for_the_time_or_the_level():
    found = event(lambda log: log.info("a", timestamp="never", level="critical"))
    assert (found["timestamp"], found["level"]) == ("2026-11-20T12:00:00.000Z", "info")


def test_long_values_are_cut_and_a_traceback_keeps_both_ends():
    found = event(lambda log: log.info("a", text="x" * 5000, many=["y" * 2001], one={"k": "z"}))
    assert found["text"] == "x" * 2000 + "… [3000 characters cut]"
    assert found["many"] == ["y" * 2000 + "… [1 characters cut]"]
    trace = event(lambda log: crash(log, "x" * 5000 + " the end"))["exception"]
    assert trace.startswith("Traceback")
    assert trace.endswith("the end")
    assert len(trace) < 2100


def test_a_known_secret_is_nowhere_in_an_event():
    redact(SECRET)

    def act(log):
        log.info(SECRET, a=SECRET, b=[{SECRET: (SECRET,)}], c=ValueError(SECRET))
        log.info("b", e=repr(SECRET), f=json.dumps(SECRET), g="kX9-a%20%22quoted%22%2Fsecret")
        crash(log, f"no {SECRET}")

    for form in ("json", "console"):
        text = written(act, form=form)
        assert "quoted" not in text
        assert "[redacted]" in text


def test_a_text_too_short_to_be_a_secret_is_not_taken_for_one():
    redact("abc")
    assert event(lambda log: log.info("a", b="abcdef"))["b"] == "abcdef"


@pytest.mark.parametrize(
    "key", ["token", "PASSWORD", "client_secret", "Authorization", "preAuthorizedKey", "api-key"]
)
def test_the_value_of_a_key_that_names_a_secret_is_not_shown(key):
    found = event(lambda log: log.info("a", **{key: "v1"}, inner={key: ["v2"]}))
    assert found[key] == "[redacted]"
    assert found["inner"] == {key: "[redacted]"}


def test_what_only_sounds_like_a_secret_is_shown():
    found = event(lambda log: log.info("a", token_file="/run/t", tokens=3, token=None))
    assert (found["token_file"], found["tokens"], found["token"]) == ("/run/t", 3, None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sent Bearer abc.def-1", "sent Bearer [redacted]"),
        ("{'Authorization': 'Basic dXNlcg=='}", "{'Authorization': '[redacted]'}"),
        ("authorization: Digest a=b, c=d\nx", "authorization: [redacted]\nx"),
        ('{"preAuthorizedKey": "k1"}', '{"preAuthorizedKey": "[redacted]"}'),
        ("GET /a?token=t1&x=1", "GET /a?token=[redacted]&x=1"),
        ("https://me:pw@host/a?b", "https://[redacted]@host/a?b"),
        ("https://host/a@b", "https://host/a@b"),
        ("to slack://A/B/C now", "to slack://[redacted] now"),
        ("(mailto://me:pw@host)", "(mailto://[redacted]"),
        ("accounts[0].token: the file is empty", "accounts[0].token: the file is empty"),
        (
            "accounts[0].service_account.secret: this value is not accepted",
            "accounts[0].service_account.secret: this value is not accepted",
        ),
        ("password: hunter2", "password: [redacted]"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db"),
    ],
)
def test_what_looks_like_a_secret_in_a_text_is_cut_out(text, shown):
    assert event(lambda log: log.info("a", b=text))["b"] == shown


def test_any_object_becomes_text_that_hides_its_secrets():
    deep = [[[[[[[[["bottom"]]]]]]]]]
    found = event(
        lambda log: log.info("a", b=SecretStr("hidden-1"), c=NOON, d=float("nan"), e=1.5, f=deep)
    )
    assert "hidden" not in found["b"]
    assert found["c"] == "2026-11-20 14:00:00+02:00"
    assert (found["d"], found["e"]) == ("nan", 1.5)
    assert "bottom" in str(found["f"])


def test_warnings_of_libraries_become_events_and_their_chatter_does_not():
    def act(_log):
        logger = logging.getLogger("httpx")
        logger.info("request sent")
        logger.warning("odd answer from %s", "slack://A/B")
        logging.getLogger("uvicorn.error").error("%d", "no number")

    first, second = map(json.loads, written(act).splitlines())
    assert (first["event"], first["level"], first["logger"]) == (
        "library_message",
        "warning",
        "httpx",
    )
    assert first["message"] == "odd answer from slack://[redacted]"
    assert second["message"] == "%d"


def test_configuring_again_changes_the_level_and_doubles_no_line():
    def act(log):
        configure("error", "json", stream=stream, clock=lambda: NOON)
        log.info("quiet now")
        logging.getLogger("apprise").error("once")

    stream = io.StringIO()
    assert written(act, stream=stream).count("\n") == 1


def test_fields_bound_to_the_context_are_in_the_event():
    with structlog.contextvars.bound_contextvars(account="prod"):
        assert event(lambda log: log.info("a"))["account"] == "prod"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=10,
)
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@CALM
@given(value=VALUES)
def test_whatever_is_logged_is_one_line_of_json_and_one_for_people(value):
    for form in ("json", "console"):
        line = written(lambda log: log.info("a", value=value), form=form)
        assert len(line.splitlines()) == 1
        assert line.removesuffix("\n").isprintable()
        assert form == "console" or json.loads(line)["event"] == "a"


@CALM
@given(before=st.text(), after=st.text(), inside=st.sampled_from(["text", "list", "key", "crash"]))
def test_wherever_a_known_secret_stands_it_is_not_written(before, after, inside):
    redact("hypothetical-s3cret")
    text = f"{before}hypothetical-s3cret{after}"
    acts = {
        "text": lambda log: log.info(text),
        "list": lambda log: log.info("a", b=[(text,)]),
        "key": lambda log: log.info("a", b={text: 1}),
        "crash": lambda log: crash(log, text),
    }
    assert "hypothetical-s3cret" not in written(acts[inside])
