"""The options of tallyfy and services_api: few are needed, and wrong ones are told in place."""

from pathlib import Path

import pytest

from tmcwatch.config import ConfigError, load
from tmcwatch.domain.filling import FIELDS

EXAMPLE = Path(__file__).parents[2] / "config/tmcwatch.example.yaml"

HEAD = """
accounts: [{name: prod, region: eu, token: a-token}]
route: {receiver: team}
"""
TALLYFY = "org_id: o1, task_id: t1, token: s3cr3t"
SERVICES = (
    "host: services.example.org, task_id: 12, access_token_id: c, access_token_secret: s3cr3t"
)


def loaded(folder, kind, options):
    file = folder / "c.yaml"
    file.write_text(HEAD + f"receivers: [{{name: team, {kind}: {{{options}}}}}]\n")
    return load(file, environ={}).receivers[0].notifiers[kind]


def problem(folder, kind, options):
    with pytest.raises(ConfigError) as caught:
        loaded(folder, kind, options)
    assert "s3cr3t" not in str(caught.value)
    return str(caught.value)


def test_the_smallest_config_of_each_writes_one_field(tmp_path):
    tallyfy = loaded(tmp_path, "tallyfy", TALLYFY)
    services = loaded(tmp_path, "services_api", SERVICES)
    assert tallyfy.address == "https://go.tallyfy.com/api/organizations/o1/tasks/t1"
    assert tallyfy.on_firing.model_dump(exclude_none=True) == {"summary": "{state}: {summary}"}
    assert services.on_firing.model_dump(exclude_none=True) == {"desc": "{state}: {summary}"}


def test_a_value_that_is_no_text_stays_what_it_is_in_the_file(tmp_path):
    fields = "on_firing: {summary: '{state}', taskdata: {f: {id: 3, value: null, selected: true}}}"
    options = loaded(tmp_path, "tallyfy", f"{TALLYFY}, {fields}")
    assert options.on_firing.taskdata == {"f": {"id": 3, "value": None, "selected": True}}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("url: 'http://u:s3cr3t@x'", "tallyfy.url: must be an http(s) address without user"),
        ("url: ftp://x", "tallyfy.url: must be an http(s) address"),
        ("run_id: a/b", "tallyfy.run_id"),
        ("timeout: 10s", "tallyfy.timeout: must be at most 9s"),
        ("on_firing: {title: '{nmae}'}", "tallyfy.on_firing.title: {nmae} is none of account, "),
        ("on_firing: {title: '{'}", "tallyfy.on_firing.title"),
        ("on_firing: {taskdata: {f: ['{x}']}}", "tallyfy.on_firing.taskdata: {x} is none of"),
        ("on_firing: {taskdata: {f: .nan}}", "taskdata: may only hold finite numbers"),
        ("on_firing: {summary: Broken}", "tallyfy: on_resolved is missing"),
        ("on_firing: {deadline: tomorrow}", "tallyfy.on_firing.deadline"),
        ("on_firing: {sumary: '{state}'}", "tallyfy.on_firing.sumary: unknown key"),
        (
            "run_id: r, on_firing: {summary: '{state}', webhook: 'https://x/a'}",
            "tallyfy: webhook can only be written",
        ),
        ("on_firing: {summary: '{state}', webhook: 'https://x/{name}'}", "on_firing.webhook"),
        ("on_firing: {summary: '{state}', status: '{name}'}", "on_firing.status"),
        ("add_owners: {users: [ann]}", "tallyfy.add_owners.users[0]"),
        ("add_owners: {guests: [ann]}", "tallyfy.add_owners.guests[0]"),
        ("ca_file: /nowhere.pem", "ca_file: /nowhere.pem: No such file"),
    ],
)
def test_wrong_options_of_tallyfy_are_told_with_their_place(tmp_path, more, told):
    assert told in problem(tmp_path, "tallyfy", f"{TALLYFY}, {more}")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("host: services.example.org, ", "", "services_api.host"),
        ("services.example.org", "https://x", "services_api.host: must be a host such as"),
        ("services.example.org", "'x:0'", "services_api.host: must be a host such as"),
        ("task_id: 12", "task_id: 0", "services_api.task_id"),
        ("access_token_id: c", "access_token_id: 'a:b'", "services_api.access_token_id"),
        ("s3cr3t", "'s3cr3t two'", "services_api.access_token_secret: may only hold printable"),
        (
            "task_id",
            "on_firing: {desc: '{state}', trigger: {once: x}}, task_id",
            "services_api: on_resolved is missing: trigger and target need one",
        ),
    ],
)
def test_wrong_options_of_the_services_api_are_told_with_their_place(tmp_path, was, becomes, told):
    assert told in problem(tmp_path, "services_api", SERVICES.replace(was, becomes))


def test_a_message_may_be_written_once_it_is_over_alone(tmp_path):
    more = "on_firing: {}, on_resolved: {summary: done}"
    assert loaded(tmp_path, "tallyfy", f"{TALLYFY}, {more}").on_resolved.summary == "done"


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_whatever_a_text_can_name_is_in_the_example(name):
    assert f"{{{name}}}" in EXAMPLE.read_text()
