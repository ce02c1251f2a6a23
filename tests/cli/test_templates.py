"""Templates in the config: checked with file and line before any message depends on them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tmcwatch.app.templates import words_of
from tmcwatch.config import load
from tmcwatch.delivering.samples import SAMPLES
from tmcwatch.domain.message import IN_FULL

# Apprise imports a module that Python 3.11 warns about.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")

WITH_TEMPLATES = ("http:", "templates: {folder: templates}\nhttp:")


@pytest.fixture
def templates(tmp_path):
    """Write templates beside the config."""

    def write(**texts: str):
        folder = tmp_path / "templates"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name.replace('_', '.')}.j2").write_text(text)
        return folder

    return write


def test_good_templates_are_good(call, config, templates):
    templates(title="{{ counts }}", message_html='{% extends "tmcwatch/message.html.j2" %}')
    result = call("check-config", "--config", config(WITH_TEMPLATES))
    assert result.exit_code == 0, result.output


def test_every_mistake_is_told_with_file_and_line(call, config, templates):
    folder = templates(
        title="{{ nonsense }}",
        message_txt="fine\n\n{% if %}",
        message_md="{% for a in range(300) %}{% for b in range(300) %}{% endfor %}{% endfor %}",
    )
    result = call("check-config", "--config", config(WITH_TEMPLATES))
    assert result.exit_code == 2
    lines = [line.removeprefix("Error: ").strip() for line in result.output.splitlines()]
    for line in (
        f"{folder}/message.txt.j2:3: Expected an expression, got 'end of statement block'",
        f"{folder}/title.j2:1: 'nonsense' is undefined",
        f"{folder}/message.md.j2:1: its loops take more than 50,000 rounds",
    ):
        assert line in lines


@pytest.mark.parametrize("empty", [True, False])
def test_a_folder_without_templates_is_told(call, config, templates, empty):
    if empty:
        templates()
    result = call("check-config", "--config", config(WITH_TEMPLATES))
    assert result.exit_code == 2
    assert "c.yaml:7: templates.folder: " in result.output
    told = "there is no template (*.j2) in this folder" if empty else "there is no such folder"
    assert told in result.output


def test_a_file_that_is_no_text_is_told(call, config, templates):
    (templates() / "title.j2").write_bytes(b"\xff")
    result = call("check-config", "--config", config(WITH_TEMPLATES))
    assert "title.j2: the file is not UTF-8 (byte 1)" in result.output


def test_a_receiver_may_have_its_own(call, config, templates):
    path = config(("log: {}", "log: {}\n    templates: {folder: templates}"))
    templates(title="{{ nonsense }}")
    result = call("check-config", "--config", path)
    assert "title.j2:1: 'nonsense' is undefined" in result.output
    templates(title="{{ lone.subject if lone else counts }} speaks")
    assert call("check-config", "--config", path).exit_code == 0


def test_each_receiver_is_told_in_its_own_words(config, templates):
    one = "  - name: team\n    log: {}\n"
    other = "  - name: other\n    log: {}\n    templates: {folder: templates}\n"
    path = config((one, one + other))
    templates(title="{{ counts }} speaks")
    words = words_of(load(Path(path), environ={}))
    titles = {
        name: words(replace(SAMPLES["failure"], receiver=name), IN_FULL).title
        for name in ("team", "other", "forgotten")
    }
    assert titles["other"] == "FIRING 1 (1 critical) speaks"
    assert titles["team"] == titles["forgotten"]
    assert titles["team"].startswith("[CRITICAL] FAILED: load_customers")


def test_a_test_message_is_told_in_the_operators_words(call, config, templates):
    templates(title="{{ lone.subject if lone else counts }} speaks")
    told = call("notify", "test", "team", "--config", config(WITH_TEMPLATES))
    assert told.exit_code == 0
