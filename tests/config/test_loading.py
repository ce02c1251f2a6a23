"""A file that is good: what it means, and what comes from outside it."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tmcwatch.config import ConfigError, check_files, fingerprint, load
from tmcwatch.telemetry.redaction import without_secrets

MINIMAL = """
accounts: [{name: prod, region: eu, token: "${TOKEN}"}]
route: {receiver: team}
receivers: [{name: team, log: {}}]
"""
ENVIRON = {"TOKEN": "a-token-of-a-tenant"}


@pytest.fixture
def config(tmp_path):
    """Load a text as a config file; further lines are added to the least there can be."""

    def loaded(more="", *, text=MINIMAL, environ=ENVIRON):
        file = tmp_path / "tmcwatch.yaml"
        file.write_text(text + more, encoding="utf-8")
        return load(file, environ=environ)

    return loaded


def test_the_least_config_has_every_default(config):
    loaded = config()
    assert loaded.accounts[0].api_share == 0.2
    assert loaded.accounts[0].link == "default"
    assert loaded.watch.beat == timedelta(seconds=10)
    assert loaded.watch.history == timedelta(days=7)
    assert loaded.store.keep == timedelta(days=90)
    assert (loaded.http.host, loaded.http.port) == ("127.0.0.1", 10477)
    assert loaded.time_zone.key == "UTC"
    assert loaded.grace == timedelta(seconds=25)
    assert loaded.receivers[0].on_uncertain == "resend"
    assert list(loaded.receivers[0].notifiers) == ["log"]


def test_a_region_and_an_address_both_lead_to_the_api(config):
    other = MINIMAL.replace("region: eu", "url: 'http://127.0.0.1:8080/'")
    assert config().accounts[0].api_url == "https://api.eu.cloud.talend.com"
    assert config(text=other).accounts[0].api_url == "http://127.0.0.1:8080"


def test_a_secret_comes_from_the_environment_and_is_in_no_text_of_the_config(config):
    loaded = config()
    assert loaded.accounts[0].token == SecretStr("a-token-of-a-tenant")
    assert "a-token-of-a-tenant" not in repr(loaded) + str(loaded) + loaded.model_dump_json()


def test_a_loaded_secret_is_kept_out_of_the_log(config):
    config(environ={"TOKEN": "only-in-this-test-1"})
    assert without_secrets("sent only-in-this-test-1") == "sent [redacted]"


def test_a_reference_to_a_file_is_its_content_without_the_last_line_break(config, tmp_path):
    (tmp_path / "name").write_text("from a file\n")
    loaded = config(text=MINIMAL.replace("name: prod", "name: '${file:name}'"))
    assert loaded.accounts[0].name == "from a file"


def test_two_dollar_signs_stand_for_one(config):
    loaded = config(text=MINIMAL.replace("name: prod", "name: 'a$$b $${c} $d'"))
    assert loaded.accounts[0].name == "a$b ${c} $d"


def test_a_value_from_the_environment_may_be_a_switch_or_a_number(config):
    text = MINIMAL.replace("region: eu", "region: eu, api_share: '${SHARE}'")
    loaded = config(
        "watch: {plans: '${OFF}'}", text=text, environ={**ENVIRON, "SHARE": "0.5", "OFF": "false"}
    )
    assert loaded.accounts[0].api_share == 0.5
    assert not loaded.watch.plans


def test_relative_paths_start_at_the_folder_of_the_file(config, tmp_path):
    text = MINIMAL.replace('token: "${TOKEN}"', "token_file: secret/token")
    loaded = config(text=text)
    assert loaded.accounts[0].token_file == tmp_path / "secret" / "token"
    assert loaded.store.path == tmp_path / "tmcwatch.db"
    assert config("store: {url: 'sqlite:////var/a.db'}").store.url == "sqlite:////var/a.db"


def test_a_service_account_has_its_secret_from_a_file_or_the_environment(config, tmp_path):
    token = 'token: "${TOKEN}"'
    text = MINIMAL.replace(token, 'service_account: {id: i, secret: "${TOKEN}"}')
    given = config(text=text).accounts[0].service_account
    assert given is not None
    assert (given.id, given.secret) == ("i", SecretStr("a-token-of-a-tenant"))
    assert "a-token-of-a-tenant" not in repr(given) + given.model_dump_json()
    text = MINIMAL.replace(token, "service_account: {id: i, secret_file: secret}")
    given = config(text=text).accounts[0].service_account
    assert given is not None
    assert (given.secret, given.secret_file) == (None, tmp_path / "secret")


def test_an_audience_keeps_the_slash_at_its_end(config):
    account = "service_account: {id: i, secret: s, audience: 'https://api.eu.example/'}"
    loaded = config(text=MINIMAL.replace('token: "${TOKEN}"', account))
    assert loaded.accounts[0].service_account is not None
    assert loaded.accounts[0].service_account.audience == "https://api.eu.example/"


def test_an_empty_section_has_its_defaults(config):
    assert config("watch:\nlog:\n").watch.beat == timedelta(seconds=10)


def test_an_alias_may_stand_for_a_value_written_before(config):
    loaded = config("watch: {beat: &b 20s, names: {every: *b}}")
    assert loaded.watch.names.every == timedelta(seconds=20)


def test_a_date_or_a_text_that_looks_like_one_stays_text(config):
    more = "labels: [{matchers: [], set: {since: 2026-01-01, same: =}}]"
    assert config(more).labels[0].labels == {"since": "2026-01-01", "same": "="}


def test_an_ipv6_address_can_be_listened_on(config):
    loaded = config("http: {listen: '[::1]:0'}")
    assert (loaded.http.host, loaded.http.port) == ("::1", 0)


@pytest.mark.parametrize("link", ["off", "default", "https://x/{kind}/{id}?e={execution_id}"])
def test_a_link_is_a_word_or_a_template(config, link):
    text = MINIMAL.replace("region: eu", f"region: eu, link: '{link}'")
    assert config(text=text).accounts[0].link == link


def test_a_byte_order_mark_does_no_harm(config):
    assert config(text="\ufeff" + MINIMAL).accounts[0].name == "prod"


def test_token_files_that_are_missing_or_empty_are_told_in_one_line_each(config, tmp_path):
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "good").write_text("abc")
    text = MINIMAL.replace('token: "${TOKEN}"', "token_file: missing")
    files = ("empty", "good", ".")
    tokens = [{"name": name, "file": name} for name in files]
    found = check_files(config(f"http: {json.dumps({'tokens': tokens})}", text=text))
    last = text.count("\n") + 1
    assert [str(problem).removeprefix(f"{tmp_path}/tmcwatch.yaml:") for problem in found] == [
        f"2: accounts[0].token_file: {tmp_path}/missing: the file does not exist",
        f"{last}: http.tokens[0].file: {tmp_path}/empty: the file is empty",
        f"{last}: http.tokens[2].file: {tmp_path}: this is a directory, not a file",
    ]


def test_a_fingerprint_changes_with_the_file_and_with_the_files_it_refers_to(tmp_path):
    file, other = tmp_path / "c.yaml", tmp_path / "other"
    found = [fingerprint(file)]
    file.write_text("a: ${file:other} ${NAME}")
    found.append(fingerprint(file))
    other.write_text("1")
    found.append(fingerprint(file))
    other.write_text("2")
    found.append(fingerprint(file))
    assert len(set(found)) == 4
    assert fingerprint(file) == found[-1]


def test_a_kind_of_another_package_that_does_not_load_is_a_problem_with_its_line(
    config, monkeypatch
):
    monkeypatch.setattr("tmcwatch.notifiers.KINDS", {"pager": "no.such.module", "log": "x"})
    with pytest.raises(ConfigError, match=r":4: receivers\[0\].pager: .*cannot be loaded"):
        config(text=MINIMAL.replace("log: {}", "pager: {}"))


def test_a_file_can_be_loaded_without_importing_what_no_receiver_needs():
    code = "import tmcwatch.config, sys; sys.exit(bool({'httpx', 'apprise'} & set(sys.modules)))"
    # In a process of its own, because this one has imported everything.
    done = subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), check=False)
    assert done.returncode == 0
