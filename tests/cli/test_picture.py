"""The demo on a terminal: everything in sight, whatever the size."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from tests.cli.scenes import PLACES, busy_scene
from tmcwatch.cli.demonstration.picture import Picture, picture
from tmcwatch.cli.demonstration.scene import Scene


def drawn(scene, width, height):
    console = Console(width=width, height=height, file=io.StringIO())
    with console.capture() as capture:
        console.print(picture(PLACES, scene, width=width), end="")
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (150, 40), (200, 60)])
def test_the_picture_fills_the_terminal_and_no_more(width, height):
    lines = drawn(busy_scene(), width, height)
    assert len(lines) == height
    assert max(map(len, lines)) == width


@pytest.mark.parametrize("size", [(80, 24), (150, 40)])
def test_addresses_lists_and_the_newest_events_are_in_sight(size):
    text = "\n".join(drawn(busy_scene(), *size))
    for shown in (
        "demo 1:15  700 executions, 30 alerts, 32 messages",
        *("http://127.0.0.1:43210/metrics", "http://127.0.0.1:43211", "http://127.0.0.1:43212"),
        *("2.2 requests/s of 6 allowed", "read completely up to 3 s ago", "4 running, 1 waiting"),
        *("failed    load_customers PROD/crm  disk full", "waiting   plan nightly_sales"),
        *("FAILED: task_29", "RECOVERED: task_1", "over: task task_1 failed"),
    ):
        assert shown in text
    assert "task_0" not in text


def test_a_wide_terminal_shows_events_side_by_side():
    [line] = [line for line in drawn(busy_scene(), 150, 40) if "What happened" in line]
    assert "What the inbox was told" in line


def test_before_anything_was_read_it_says_so():
    scene = Scene(elapsed=timedelta(0), not_fresh=("account demo: tasks: never read",))
    text = "\n".join(drawn(scene, 80, 24))
    assert "reading what there is" in text
    assert "behind" in text


def test_the_terminal_is_given_back_as_it_was():
    written = io.StringIO()
    console = Console(width=80, height=24, file=written, force_terminal=True)
    with Picture(PLACES, console) as shown:
        shown.show(busy_scene())
    text = written.getvalue()
    assert text.index("\x1b[?1049h") < text.index("RECOVERED") < text.index("\x1b[?1049l")
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")


def test_a_terminal_far_too_small_is_no_error():
    assert len(drawn(busy_scene(), 20, 5)) == 5
