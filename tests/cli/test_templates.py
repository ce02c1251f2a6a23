"""Templates in the config: checked with file and line before any message depends on them."""

import pytest

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
    assert "there is no template (*.j2) in this folder" in result.output


def test_a_file_that_is_no_text_is_told(call, config, templates):
    (templates() / "title.j2").write_bytes(b"\xff")
    result = call("check-config", "--config", config(WITH_TEMPLATES))
    assert "title.j2: the file is not UTF-8 (byte 1)" in result.output


def test_a_test_message_is_told_in_the_operators_words(call, config, templates):
    templates(title="{{ lone.subject if lone else counts }} speaks")
    told = call("notify", "test", "team", "--config", config(WITH_TEMPLATES))
    assert told.exit_code == 0
