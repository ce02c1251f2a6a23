"""Webhooks that are signed: what a receiver can check, with the README's own lines."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.receiving import Receiver
from tests.threads import inline
from tmcwatch.config import ConfigError, check_files, load
from tmcwatch.domain.alert import Alert, AlertId, Severity
from tmcwatch.domain.message import Message, Words
from tmcwatch.notifiers import NotifierError, Outside, build, options_of
from tmcwatch.notifiers.webhook.signing import signature
from tmcwatch.telemetry.redaction import without_secrets

README = Path(__file__).parents[2] / "README.md"
NOW = datetime(2026, 11, 20, 10, 0, 0, 700_000, tzinfo=UTC)
SECRET = "sesame-of-the-receiver"
WORDS = Words(title="FAILED: load", text="text", markdown="markdown", html="html")
CONFIG = """\
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
receivers:
  - name: team
    webhook:
      url: https://hooks.example.org/in
"""


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def is_genuine(monkeypatch):
    """The README's example, with a clock that stands at NOW."""
    (example,) = [
        block
        for block in re.findall(
            r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE
        )
        if "hmac" in block
    ]
    names: dict[str, object] = {}
    exec(example, names)
    monkeypatch.setattr("time.time", NOW.timestamp)
    return names["is_genuine"]


def message():
    alert = Alert(
        id=AlertId("a"),
        rule="failed",
        severity=Severity.WARNING,
        labels={"name": "Überweisungen \u202e"},
        annotations={"error": "x" * 1_000_000},
        starts_at=NOW,
        ends_at=None,
        end_reason=None,
        opened_at=NOW,
        changed_at=NOW,
    )
    return Message(
        key="key-1",
        receiver="team",
        group_key="g",
        group_labels={},
        alerts=(alert,),
        created_at=NOW,
    )


async def posted(*, at=NOW, status=200, answer=b"", **options):
    """Send a message over a real socket; answers with the headers and the body that came."""
    outside = Outside(http=httpx.AsyncClient, in_thread=inline, now=lambda: at)
    receiver = Receiver(status=status, answer=answer)
    with receiver.open():
        given = {"url": f"http://{receiver.address}/", **options}
        webhook = build("webhook", options_of("webhook").model_validate(given), outside)
        try:
            await webhook.send(message(), WORDS)
        finally:
            await webhook.aclose()
    (received,) = receiver.received
    return httpx.Headers(received.headers), received.body


async def test_the_readmes_example_takes_what_was_sent_and_nothing_else(is_genuine):
    headers, body = await posted(hmac_secret=SECRET)
    assert is_genuine(SECRET.encode(), headers, body)
    assert not is_genuine(b"another secret", headers, body)
    assert not is_genuine(SECRET.encode(), headers, body + b" ")
    for name in ("X-Tmcwatch-Timestamp", "Idempotency-Key", "X-Tmcwatch-Signature"):
        forged = httpx.Headers({**headers, name: f"{headers[name]}1"})
        assert not is_genuine(SECRET.encode(), forged, body)


@pytest.mark.parametrize(("minutes", "taken"), [(4, True), (6, False)])
async def test_what_is_sent_again_much_later_is_refused(is_genuine, minutes, taken):
    headers, body = await posted(hmac_secret=SECRET, at=NOW - timedelta(minutes=minutes))
    assert is_genuine(SECRET.encode(), headers, body) is taken


def test_a_signature_is_the_one_that_openssl_makes():
    # printf '1795168800.key-1.{}' | openssl dgst -sha256 -hmac sesame
    assert signature(b"sesame", key="key-1", body=b"{}", at=NOW) == {
        "X-Tmcwatch-Timestamp": "1795168800",
        "X-Tmcwatch-Signature": "sha256="
        "8fe8fcae76c19d6cb7f1a6a1a88d3703c732b6158b7d5a3ef243729c8a2c734e",
    }


async def test_without_a_secret_nothing_is_signed():
    headers, _ = await posted()
    assert "X-Tmcwatch-Signature" not in headers


async def test_a_configured_header_cannot_pass_for_the_signature(is_genuine):
    headers, body = await posted(hmac_secret=SECRET, headers={"x-tmcwatch-signature": "sha256=0"})
    assert is_genuine(SECRET.encode(), headers, body)


async def test_a_new_secret_in_the_file_counts_from_the_next_message_on(is_genuine, tmp_path):
    file = tmp_path / "secret"
    for secret in (b"the-old-secret", b"the-new-secret", b"\xff\x00 any bytes"):
        file.write_bytes(secret + b"\n")
        headers, body = await posted(hmac_secret_file=file)
        assert is_genuine(secret, headers, body)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read {}: No such file or directory"),
        (b" \n", "{} is empty"),
        (b"x" * 1_000_001, "{} is too large for a secret"),
    ],
    ids=["missing", "empty", "large"],
)
async def test_a_secret_that_cannot_be_read_postpones_the_message(tmp_path, content, said):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(NotifierError) as caught:
        await posted(hmac_secret_file=file)
    assert caught.value.text == f"127.0.0.1: hmac_secret_file: {said.format(file)}"
    assert (caught.value.permanent, caught.value.authentication) == (False, False)


@pytest.mark.parametrize("key", ["hmac_secret", "hmac_secret_file"])
async def test_the_secret_is_never_shown(tmp_path, key):
    secret = f"{SECRET}-of-{key}"
    (tmp_path / "secret").write_text(secret)
    value = secret if key == "hmac_secret" else tmp_path / "secret"
    answer = f"signed by {secret}?".encode()
    with pytest.raises(NotifierError) as caught:
        await posted(status=403, answer=answer, **{key: value})
    assert caught.value.text == "127.0.0.1: answered 403: signed by …?"
    options = options_of("webhook").model_validate({"url": "https://h/", key: value})
    assert secret not in repr(options) + options.model_dump_json()


async def test_a_secret_from_a_file_is_kept_out_of_the_log(tmp_path):
    (tmp_path / "secret").write_text("only-in-this-file")
    await posted(hmac_secret_file=tmp_path / "secret")
    assert "only-in-this-file" not in without_secrets("it was only-in-this-file")


def config_with(folder, *lines):
    file = folder / "c.yaml"
    file.write_text(CONFIG + "".join(f"      {line}\n" for line in lines))
    return load(file, environ={})


def test_files_of_a_webhook_start_at_the_folder_of_the_config(tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    config = config_with(tmp_path, "hmac_secret_file: secret")
    assert config.receivers[0].notifiers["webhook"].hmac_secret_file == tmp_path / "secret"
    assert check_files(config) == []
    with pytest.raises(ConfigError, match=re.escape(f"ca_file: {tmp_path}/ca.pem: No such file")):
        config_with(tmp_path, "ca_file: ca.pem")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "the file does not exist"), ("\n", "the file is empty")]
)
def test_a_secret_file_that_cannot_be_used_is_told_with_its_line_and_key(tmp_path, content, said):
    if content is not None:
        (tmp_path / "secret").write_text(content)
    (problem,) = check_files(config_with(tmp_path, "hmac_secret_file: secret"))
    key = "receivers[0].webhook.hmac_secret_file"
    assert str(problem) == f"{tmp_path}/c.yaml:7: {key}: {tmp_path}/secret: {said}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [f"hmac_secret: {SECRET}", "hmac_secret_file: secret"],
            ":8: receivers[0].webhook.hmac_secret_file: found both hmac_secret and hmac_secret_",
        ),
        (
            [f"hmac_secret: '{SECRET} x'"],
            ":7: receivers[0].webhook.hmac_secret: must be printable ASCII characters without",
        ),
        (["hmac_secret: ''"], ":7: receivers[0].webhook.hmac_secret: must be printable"),
    ],
    ids=["both", "spaces", "empty"],
)
def test_what_is_wrong_with_a_secret_is_told_without_it(tmp_path, lines, said):
    with pytest.raises(ConfigError) as caught:
        config_with(tmp_path, *lines)
    text = str(caught.value)
    assert said in text
    assert SECRET not in text
    assert without_secrets(text) == text  # the log shows all of it
