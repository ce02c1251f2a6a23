"""The demo in a pipe: where things answer, then a line for each thing as it happens."""

from collections.abc import Callable, Iterator
from typing import Self

from tmcwatch.cli.demonstration.inbox import Told
from tmcwatch.cli.demonstration.scene import Happening, Places, Scene
from tmcwatch.cli.ending import one_line


class Lines:
    """Tells each scene after the first by what is new in it."""

    def __init__(self, places: Places, say: Callable[[str], None]) -> None:
        self._say = say
        self._told = 0
        for line in place_lines(places):
            say(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, scene: Scene) -> None:
        for happening in scene.fresh_happenings:
            self._say(happening_line(happening))
        new = scene.totals.told - self._told
        self._told = scene.totals.told
        for told in scene.told[-new:] if new else ():
            for line in told_lines(told):
                self._say(line)


def place_lines(places: Places) -> tuple[str, ...]:
    return (
        f"metrics    {places.metrics}",
        f"simulator  {places.simulator}  (bearer token: demo)",
        f"control    {places.control}",
    )


def happening_line(happening: Happening) -> str:
    what = f"{happening.kind} {happening.name}"
    place = f" ({happening.place})" if happening.place else ""
    why = f": {happening.why}" if happening.why else ""
    return one_line(f"{happening.at:%H:%M:%S} {happening.phase.value}: {what}{place}{why}")


def told_lines(told: Told) -> Iterator[str]:
    yield one_line(f"{told.at:%H:%M:%S} told: {told.title}")
    for line in told.lines:
        yield f"           {one_line(line)}"
