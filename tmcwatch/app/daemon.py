"""The daemon's life: config, store and port first, then watching; signals, reloads, the end."""

import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import structlog
from pydantic import SecretStr

from tmcwatch import __version__
from tmcwatch.app.answering import Answers
from tmcwatch.app.beats import Beats
from tmcwatch.app.parts import Parts
from tmcwatch.app.templates import template_files, template_problems
from tmcwatch.app.watch import watch
from tmcwatch.app.world import World
from tmcwatch.config import (
    Config,
    ConfigError,
    authority_files,
    check_files,
    fingerprint,
    load,
    rule_files,
)
from tmcwatch.config.interpolation import FileProblem, text_of
from tmcwatch.serving.access import AccessToken, May
from tmcwatch.serving.application import application
from tmcwatch.serving.server import ListenError, address_of, bind, serve
from tmcwatch.store.engine import StoreError
from tmcwatch.store.opening import open_store
from tmcwatch.supervisor import Supervision, keep_running
from tmcwatch.telemetry.health import Health
from tmcwatch.telemetry.metrics import Metrics

log = structlog.get_logger()

LOOK_FOR_CHANGES_EVERY = 10.0
"""Seconds between two looks at the config file's content."""


class DaemonError(Exception):
    """The daemon cannot start: the store or the port. One line."""


class Daemon:
    """One process that watches by one config file.

    Raises ConfigError or DaemonError where it cannot start; once it runs, whatever fails outside
    is a state that it shows, not an end. `reconfigured` is told of each config a reload brings.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        world: World,
        metrics: Metrics,
        *,
        reconfigured: Callable[[Config], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._world = world
        self._config = config
        self._reconfigured = reconfigured
        self._seen = self._fingerprint()
        self._stop = anyio.Event()
        self._stopping = False
        self._reload = anyio.Lock()
        self._sock = _bound(config)
        try:
            store = open_store(config.store.url)
        except StoreError as error:
            self._sock.close()
            raise DaemonError(f"store: {error}") from error
        self.parts = Parts(store=store, metrics=metrics, health=Health(), beats=Beats(metrics))
        self.parts.health.store_works()
        self.parts.metrics.reloaded(ok=True, at=world.now())
        self.answers = Answers(config=lambda: self._config, parts=self.parts, world=world)

    @property
    def address(self) -> str:
        """Where it answers: `host:port`, the real port included."""
        return address_of(self._sock)

    async def run(self) -> None:
        """Watch until stopped by SIGTERM, SIGINT or `stop`."""
        log.info("started", version=__version__, listen=self.address, config=str(self._path))
        metrics = self.parts.metrics
        counted = Supervision(began=metrics.loop, restarted=metrics.restarted)
        try:
            async with anyio.create_task_group() as outer:
                for name, service in (
                    ("serving", self._serve),
                    ("signals", self._obey_signals),
                    ("config", self._follow_file),
                ):
                    outer.start_soon(keep_running, name, service, counted)
                await self._watch()
                outer.cancel_scope.cancel()
        finally:
            self._sock.close()
            self.parts.store.close()
        log.info("stopped")

    def stop(self) -> None:
        """Begin to stop; what is under way is finished within the grace period."""
        self._stopping = True
        self._stop.set()

    async def reload(self) -> Sequence[str]:
        """Load the file and use it if it is good; answers with what is wrong with it.

        A bad one changes nothing. The store and the port stay as they are until a restart.
        """
        async with self._reload:
            try:
                config = await self._world.in_thread(self._load_followed)
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
                self._refuse(problems)
                return problems
            self._use(config)
            return []

    def _fingerprint(self) -> str:
        return fingerprint(self._path, *_followed(self._config))

    def _load_followed(self) -> Config:
        """Load the file after a look at all it stands on, so that a change meanwhile is seen."""
        self._seen = self._fingerprint()
        config = self._load()
        named = _followed(config)
        if named == _followed(self._config):
            return config
        self._seen = fingerprint(self._path, *named)
        return self._load()

    def _load(self) -> Config:
        config = load(self._path, environ=self._world.environ)
        problems = [*check_files(config), *template_problems(config)]
        if problems:
            raise ConfigError(problems)
        return config

    def _refuse(self, problems: Sequence[str]) -> None:
        for problem in problems:
            log.error("config_refused", problem=problem)
        self.parts.health.config_refused_at = self._world.now()
        self.parts.metrics.reloaded(ok=False, at=self._world.now())

    def _use(self, config: Config) -> None:
        before = self._config
        if (config.store.url, config.http.listen) != (before.store.url, before.http.listen):
            log.warning("restart_needed", keys=["store.url", "http.listen"])
        self._config = config
        self._reconfigured(config)
        self._stop.set()
        self.parts.health.config_refused_at = None
        self.parts.metrics.reloaded(ok=True, at=self._world.now())
        log.info("config_reloaded", config=str(self._path))

    async def _watch(self) -> None:
        """Watch with each config in turn: a reload ends one watch and begins the next."""
        while not self._stopping:
            self._stop = anyio.Event()
            with anyio.CancelScope() as whole:
                async with anyio.create_task_group() as clock:
                    clock.start_soon(self._limit, whole)
                    await watch(self._config, self.parts, self._world, stop=self._stop)
                    clock.cancel_scope.cancel()
            if whole.cancelled_caught:
                log.warning("stopped_late", grace=str(self._config.grace))

    async def _limit(self, whole: anyio.CancelScope) -> None:
        """Cut a stop short that takes longer than the grace period."""
        await self._stop.wait()
        whole.deadline = anyio.current_time() + self._config.grace.total_seconds()

    async def _serve(self) -> None:
        app = application(self.answers.operations(self.reload), self._tokens)
        await serve(app, sock=self._sock)

    def _tokens(self) -> Sequence[AccessToken]:
        # One without a secret fits nobody; left out, it would open reading to all.
        return [
            AccessToken(
                name=token.name, secret=_secret(token.file, token.token), may=May(token.may)
            )
            for token in self._config.http.tokens
        ]

    async def _obey_signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                log.info("signal", name=signal.Signals(number).name)
                if number == signal.SIGHUP:
                    await self.reload()
                else:
                    self.stop()

    async def _follow_file(self) -> None:
        """Reload when the content of the file changes, as by a ConfigMap's swapped link.

        So it is with files of rules and with templates, also new ones, and with a file of
        certificate authorities, which only new clients read.
        """
        while True:
            await anyio.sleep(LOOK_FOR_CHANGES_EVERY)
            changed = await self._world.in_thread(self._fingerprint) != self._seen
            is_refused = self.parts.health.config_refused_at is not None
            if changed or (is_refused and await self._world.in_thread(self._is_mended)):
                await self.reload()

    def _is_mended(self) -> bool:
        """Tell whether a refused config is good by now, such as a file that only it names."""
        try:
            self._load()
        except ConfigError:
            return False
        return True


def _followed(config: Config) -> tuple[Path, ...]:
    """Answer with the files that a config stands on, besides its own."""
    return (*authority_files(config), *rule_files(config), *template_files(config))


def _bound(config: Config) -> socket.socket:
    try:
        return bind(config.http.listen)
    except ListenError as error:
        raise DaemonError(str(error)) from error


def _secret(file: Path | None, text: SecretStr | None) -> str:
    """Answer with a token of our own interface; a file is read at each use, so it may change."""
    if file is None:
        return text.get_secret_value() if text else ""
    try:
        return text_of(file).strip()
    except FileProblem as problem:
        log.warning("token_file_unreadable", file=str(file), problem=str(problem))
        return ""
