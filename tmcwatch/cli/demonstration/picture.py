"""The demo on a terminal: a scene as one screen, whatever its size."""

from collections.abc import Iterable, Sequence
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tmcwatch.cli.demonstration.inbox import Told
from tmcwatch.cli.demonstration.scene import Happening, ListRead, Places, Scene
from tmcwatch.domain.execution import BAD_ENDS, Phase

SIDE_BY_SIDE_FROM = 140
"""Columns from which the two columns of events are wide enough."""

_STYLES = {Phase.SUCCEEDED: "green", Phase.RUNNING: "cyan", Phase.WAITING: "bright_black"}


class Picture:
    """Draws on the alternate screen; leaving it gives the terminal back as it was."""

    def __init__(self, places: Places, console: Console) -> None:
        self._places = places
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, scene: Scene) -> None:
        width = self._live.console.size.width
        self._live.update(picture(self._places, scene, width=width), refresh=True)


def picture(places: Places, scene: Scene, *, width: int) -> Layout:
    events = Layout()
    happened = Layout(_Tail([_happening(one) for one in scene.happenings], "What happened"))
    told = Layout(
        _Tail([line for one in scene.told for line in _told(one)], "What the inbox was told"),
        ratio=1 if width >= SIDE_BY_SIDE_FROM else 3,
    )
    if width >= SIDE_BY_SIDE_FROM:
        events.split_row(happened, told)
    else:
        happened.ratio = 2
        events.split_column(happened, told)
    whole = Layout()
    whole.split_column(
        Layout(_head(places, scene), size=4),
        Layout(_lists(scene), size=4),
        events,
    )
    return whole


def _head(places: Places, scene: Scene) -> Text:
    seconds = int(scene.elapsed.total_seconds())
    totals = scene.totals
    lines = (
        Text.assemble(
            ("tmcwatch demo ", "bold"),
            f"{seconds // 60}:{seconds % 60:02d}  ",
            f"{totals.executions} executions, {totals.opened} alerts, {totals.told} messages  ",
            ("Ctrl-C ends", "bright_black"),
        ),
        Text.assemble(("metrics    ", "bright_black"), places.metrics),
        Text.assemble(
            ("simulator  ", "bright_black"), places.simulator, ("  token demo", "bright_black")
        ),
        Text.assemble(("control    ", "bright_black"), places.control),
    )
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def _lists(scene: Scene) -> Panel:
    rate = f"{scene.requests_per_second:.1f} requests/s of {scene.allowed_per_second:.0f} allowed"
    state = Text("sees all in time", "green")
    if scene.not_fresh:
        state = Text("behind", "yellow")
    table = Table.grid(padding=(0, 2))
    for one in scene.lists or (None,):
        table.add_row(*_list(one))
    title = Text.assemble(("Account demo ", "bold"), rate, "  ", state)
    return Panel(table, title=title, title_align="left", padding=(0, 1))


def _list(one: ListRead | None) -> Iterable[str]:
    if one is None:
        return ("reading what there is …",)
    seconds = max(one.watermark_age.total_seconds(), 0.0)
    waiting = ", ".join(f"{number} {phase}" for phase, number in one.open.items())
    return (
        f"{one.kind}s",
        f"read completely up to {seconds:.0f} s ago",
        f"open: {waiting or 'none'}",
    )


def _happening(one: Happening) -> Text:
    style = "bold red" if one.phase in BAD_ENDS else _STYLES.get(one.phase, "yellow")
    return Text.assemble(
        (f"{one.at:%H:%M:%S} ", "bright_black"),
        (f"{one.phase.value:<9} ", style),
        one.name if one.kind == "task" else f"{one.kind} {one.name}",
        (f" {one.place}", "bright_black"),
        (f"  {' '.join(one.why.split())}", "red"),
    )


def _told(one: Told) -> list[Text]:
    style = "bold green" if one.is_over else "bold red"
    if one.title.startswith("Now watching"):
        style = "bold"
    head = Text.assemble((f"{one.at:%H:%M:%S} ", "bright_black"), (one.title, style))
    return [head, *(Text(f"         {' '.join(line.split())}") for line in one.lines)]


class _Tail:
    """A panel with as many of the last lines as there is room for."""

    def __init__(self, lines: Sequence[Text], title: str) -> None:
        self._lines = lines
        self._title = title

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.size.height
        room = max(height - 2, 1)
        shown = self._lines[-room:]
        text = Text("\n", no_wrap=True, overflow="ellipsis").join(shown)
        text.no_wrap, text.overflow = True, "ellipsis"
        title = Text(self._title, "bold")
        yield Panel(text, title=title, title_align="left", height=height, padding=(0, 1))
