"""The demo's parts together: simulator, inbox and daemon in one process, over real HTTP."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from tmcwatch import __version__
from tmcwatch.app import Daemon, World
from tmcwatch.cli.demonstration.inbox import Inbox
from tmcwatch.cli.demonstration.observer import Observer
from tmcwatch.cli.demonstration.scene import Places, Scene
from tmcwatch.config import load
from tmcwatch.serving.server import address_of, bind, serve
from tmcwatch.simulator import Addresses, Reading, Simulator, served
from tmcwatch.simulator import demo as scenario
from tmcwatch.telemetry.metrics import Metrics

LOOK_EVERY = 0.5
ANYWHERE = "127.0.0.1:0"


class Show(Protocol):
    """Shows one scene after the other."""

    def show(self, scene: Scene) -> None: ...


Stage = Callable[[Places], AbstractContextManager[Show]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    folder: Path
    """For the configuration and the store."""
    world: World
    window: Reading
    lasts: timedelta | None
    """None: until a signal ends it."""
    stage: Stage

    async def run(self) -> Scene:
        """Run until it is over; answers with the last scene."""
        simulator = Simulator(scenario(), now=self.world.now, window=self.window)
        inbox = Inbox(self.world.now)
        async with served(simulator) as addresses:
            with bind(ANYWHERE) as sock:
                config = self._config(addresses, inbox_url=f"http://{address_of(sock)}/")
                metrics = Metrics(version=__version__)
                daemon = Daemon(config, load(config, environ={}), self.world, metrics)
                observer = Observer(daemon, simulator, inbox, in_thread=self.world.in_thread)
                async with anyio.create_task_group() as tasks:
                    await tasks.start(partial(serve, inbox.app(), sock=sock))
                    tasks.start_soon(self._end, daemon)
                    with self.stage(_places(daemon, addresses)) as stage:
                        await self._play(daemon, observer, stage)
                        scene = await self._last(daemon, observer, stage)
                    tasks.cancel_scope.cancel()
        return scene

    async def _play(self, daemon: Daemon, observer: Observer, stage: Show) -> None:
        """Show scenes until the daemon has ended."""

        async def show() -> None:
            while True:
                stage.show(await observer.look())
                await anyio.sleep(LOOK_EVERY)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(show)
            await daemon.run()
            tasks.cancel_scope.cancel()

    async def _last(self, daemon: Daemon, observer: Observer, stage: Show) -> Scene:
        """Show what the stop still brought: the last round may have told someone."""
        try:
            scene = await observer.look()
        finally:
            # The daemon has closed its store; the look has opened it again.
            daemon.parts.store.close()
        stage.show(scene)
        return scene

    async def _end(self, daemon: Daemon) -> None:
        if self.lasts is not None:
            await anyio.sleep(self.lasts.total_seconds())
            daemon.stop()

    def _config(self, addresses: Addresses, *, inbox_url: str) -> Path:
        path = self.folder / "demo.yaml"
        path.write_text(json.dumps(_config(addresses, inbox_url)))  # JSON is YAML, too
        return path


def _config(addresses: Addresses, inbox_url: str) -> Mapping[str, object]:
    """Make everything quick, so that a minute shows what takes an hour elsewhere."""
    return {
        "accounts": [{"name": "demo", "url": addresses.api, "token": "demo", "link": "off"}],
        "watch": {"beat": "1s", "settle": {"floor": "2s"}, "history": "1h"},
        "store": {"url": "sqlite:///demo.db"},
        "route": {"receiver": "inbox", "group_wait": "1s", "group_interval": "5s"},
        "receivers": [{"name": "inbox", "webhook": {"url": inbox_url}}],
        "http": {"listen": ANYWHERE},
        "grace": "5s",
    }


def _places(daemon: Daemon, addresses: Addresses) -> Places:
    return Places(
        metrics=f"http://{daemon.address}/metrics",
        simulator=addresses.api,
        control=addresses.control,
    )
