"""Tallyfy and the Services API: one task kept in step, against servers that hold the task."""

import json
import re
import shutil
from datetime import timedelta

import anyio
import pytest

from tests.contracts.certificates import authority
from tests.contracts.kept_tasks import (
    CHANGED,
    OPENED,
    RESOLVED,
    WORDS,
    alert,
    message,
    services_api,
    spellings,
    tallyfy,
    target,
)
from tmcwatch.notifiers import NotifierError


@pytest.fixture
def anyio_backend():
    """Run on the loop of production: sockets do not know virtual time."""
    return "asyncio"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    return authority(tmp_path_factory.mktemp("authority"), "own")


@pytest.fixture(params=["tallyfy", "services_api"])
def kept(request, tmp_path):
    if request.param == "tallyfy":
        return tallyfy(tmp_path)
    return services_api(tmp_path, request.getfixturevalue("own"))


async def test_a_task_says_what_opened_changed_and_is_over(kept):
    receipts = await kept.told(OPENED, CHANGED, RESOLVED)
    assert kept.server.bodies == [
        {kept.text: "FIRING: task load failed"},
        {kept.text: "FIRING: task load failed; task unload failed"},
        {kept.text: "RECOVERED: task load failed; task unload failed"},
    ]
    assert receipts == [f"{kept.text} written at 127.0.0.1"] * 3


async def test_the_same_message_again_ends_in_the_same_task(kept):
    await kept.told(CHANGED)
    once = json.dumps(kept.server.task)
    await kept.told(CHANGED)
    assert json.dumps(kept.server.task) == once
    assert len(kept.server.bodies) == 2


async def test_only_what_is_configured_is_sent_and_the_rest_of_the_task_stays(kept):
    before = dict(kept.server.task)
    fields = {"on_firing": {kept.other: "{name} of {label.team}"}, "on_resolved": {}}
    receipts = await kept.told(OPENED, RESOLVED, **fields)
    assert kept.server.bodies == [{kept.other: "load of finance"}]
    assert kept.server.task == before | {kept.other: "load of finance"}
    assert receipts[1] == "nothing to write"


async def test_without_words_for_the_end_the_same_fields_are_filled_in_again(kept):
    await kept.told(OPENED, RESOLVED, on_firing={kept.other: "{status} since {starts_at}"})
    assert [body[kept.other] for body in kept.server.bodies] == [
        "firing since 2026-11-20T10:00:00Z",
        "resolved since 2026-11-20T10:00:00Z",
    ]


async def test_a_group_fires_as_long_as_one_of_its_alerts_does(kept):
    mixed = message(alert(over=True), alert("unload"))
    others = message(alert(over=True), told_before=2)
    await kept.told(mixed, others, on_firing={kept.other: "{state} {firing}: {name}: {summary}"})
    assert [body[kept.other] for body in kept.server.bodies] == [
        "FIRING 1: unload: task unload failed",
        "FIRING 2: 2 told before: 2 told before, still firing",
    ]


async def test_a_notice_is_written_nowhere_as_it_has_no_end(kept):
    (receipt,) = await kept.told(message(alert(rule="watching")))
    assert receipt == "nothing written: a notice is no state of a task"
    assert kept.server.requests == []


async def test_hostile_texts_are_one_harmless_line_and_are_cut(kept):
    name = "a\n\x1b[31m\u202e\ud800<script>{title}" + "x" * 1_000_000
    hostile = message(alert(name, annotations={"error": "<b>" + "y" * 9_000}))
    await kept.told(hostile, on_firing={kept.text: "{state} {name} {error}\n{text}"})
    (body,) = kept.server.bodies
    written = body[kept.text]
    assert written.startswith("FIRING a �[31m��<\N{WORD JOINER}script>{title}xxx")
    assert len(written) <= 2_000 + 1
    assert written.count("\n") <= 2
    assert "<b>" not in written


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_what_is_refused_is_refused_for_good_and_names_the_field(kept, status):
    kept.server.answers = [(status, {}, json.dumps({"errors": {kept.text: ["bad"]}}).encode())]
    error = await kept.failure()
    assert error.permanent
    assert error.authentication == (status in kept.refusals)
    expected = f"127.0.0.1: PUT {kept.server.path}: answered {status} about {kept.text}: "
    assert error.text.startswith(expected)


async def test_a_field_that_the_service_does_not_take_is_named(kept):
    kept.server.known -= {kept.other}
    error = await kept.failure(on_firing={kept.text: "{state}", kept.other: "x"})
    assert f"answered 422 about {kept.other}: " in error.text


async def test_a_task_that_is_not_there_is_named(kept):
    path, kept.server.path = kept.server.path, "/elsewhere"
    error = await kept.failure()
    assert error.permanent
    assert f"PUT {path}: answered 404: " in error.text


async def test_credentials_that_are_refused_are_told_as_such(kept):
    kept.server.authorization = "Bearer other"
    error = await kept.failure()
    assert (error.permanent, error.authentication) == (True, True)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "120"}, 120),
        (503, {"Retry-After": "7"}, 7),
        (500, {}, None),
        (502, {"Retry-After": "soon"}, None),
    ],
)
async def test_a_service_that_cannot_now_is_asked_later(kept, status, headers, wait):
    kept.server.answers = [(status, headers, b"<html>busy</html>")]
    error = await kept.failure()
    assert (error.permanent, error.authentication) == (False, False)
    assert error.retry_after == (timedelta(seconds=wait) if wait else None)


async def test_a_redirect_is_not_followed(kept):
    kept.server.answers = [(302, {"Location": "https://evil.example.org"}, b"")]
    assert (await kept.failure()).permanent
    assert len(kept.server.requests) == 1


async def test_an_answer_that_quotes_the_secret_is_shown_without_it(kept):
    quoted = " ".join(spellings()[:-1]).encode() + b"\x00\x1b[31m" + b"x" * 200_000
    kept.server.answers = [(400, {}, b"wrong token " + quoted)]
    error = await kept.failure()
    assert "wrong token … … … …" in error.text
    assert len(error.text) < 400
    assert error.text.isprintable()


async def test_a_server_that_says_nothing_is_left_in_time(kept):
    kept.server.is_silent = True
    with anyio.fail_after(10):
        error = await kept.failure(timeout="200ms")
    # On a busy machine the time may be over before they are connected.
    begin = re.escape(f"127.0.0.1: PUT {kept.server.path}: ")
    assert re.fullmatch(f"{begin}(read|connect) timeout", error.text)
    assert not error.permanent


async def test_a_server_that_is_not_there_is_asked_later(kept):
    options = json.loads(json.dumps(kept.options).replace("PORT", "9"))
    async with target(kept.folder, kept.kind, options) as notifier:
        with pytest.raises(NotifierError, match="connect error") as caught:
            await notifier.send(OPENED, WORDS)
    assert not caught.value.permanent


async def test_a_notifier_and_its_options_show_no_secret(kept):
    async with kept.reached() as notifier:
        inner = notifier._notifier
        shown = f"{inner._options!r} {inner._options.model_dump_json()} {inner._task!r}"
    assert not any(spelling in shown for spelling in spellings())


async def test_objects_of_the_services_api_are_sent_with_their_texts_filled_in(tmp_path, own):
    kept = services_api(tmp_path, own)
    fields = {
        "target": {"action": "export", "export_index": 1, "export_format": "{status}"},
        "trigger": {"once": "{told_at}"},
    }
    await kept.told(OPENED, RESOLVED, on_firing=fields, on_resolved={"desc": "{state}"})
    assert kept.server.bodies == [
        {
            "target": {"action": "export", "export_index": 1, "export_format": "firing"},
            "trigger": {"once": "2026-11-20T10:00:00Z"},
        },
        {"desc": "RECOVERED"},
    ]


async def test_a_trigger_that_is_refused_is_named(tmp_path, own):
    kept = services_api(tmp_path, own)
    kept.server.answers = [(400, {}, b"invalid trigger")]
    fields = {"desc": "{state}", "trigger": {"once": "{told_at}"}}
    error = await kept.failure(on_firing=fields, on_resolved={})
    assert error.text.endswith("answered 400 about trigger: invalid trigger")
