"""Every metric, command, rule, endpoint and config key is in the documentation."""

import re
from pathlib import Path

import pytest

from tmcwatch.cli.commands import COMMANDS
from tmcwatch.domain.built_in import BUILT_IN, WATCHING
from tmcwatch.telemetry.families import documented

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ENDPOINT = re.compile(r'Route\(f?"([^"{]+)')


def test_the_metrics_table_is_that_of_the_code():
    table = README.split("<!-- metrics -->")[1].split("<!-- /metrics -->")[0]
    assert table.strip() == documented().strip()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_in_the_readme(command):
    assert f"`tmcwatch {command}" in README


@pytest.mark.parametrize("rule", sorted([*BUILT_IN, WATCHING.name]))
def test_a_rule_is_in_the_readme_with_its_severity(rule):
    severity = {**BUILT_IN, WATCHING.name: WATCHING}[rule].severity.value
    row = next(line for line in README.splitlines() if line.startswith(f"| `{rule}` |"))
    assert severity in row.rsplit("|", 2)[1]


def test_every_endpoint_is_in_the_readme():
    sources = sorted((ROOT / "tmcwatch/serving").glob("*.py"))
    endpoints = [path for source in sources for path in ENDPOINT.findall(source.read_text())]
    assert len(endpoints) >= 8
    assert [path for path in endpoints if path not in README] == []


def test_the_readme_begins_with_two_one_line_commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    assert all("\n" not in block.strip() for block in blocks)
