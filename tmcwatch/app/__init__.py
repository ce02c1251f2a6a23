"""The one room that knows every part: the outside world, the wiring, and the daemon's life."""

from tmcwatch.app.daemon import Daemon, DaemonError
from tmcwatch.app.parts import Parts
from tmcwatch.app.watch import watch
from tmcwatch.app.world import World, real_world

__all__ = ["Daemon", "DaemonError", "Parts", "World", "real_world", "watch"]
